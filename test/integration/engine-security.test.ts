/** What other engines were broken by, tried on running containers; each test is named after its attack. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { EngineApi, exec } from '#test/support/engine-api.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'

describe('descriptors', () => {
  it('a container has 0 to 2 only, in run and in exec (CVE-2016-9962, CVE-2024-21626)', async () => {
    // The fourth is the directory that ls reads.
    const list = ['ls', '/proc/self/fd']
    assert.equal((await api.once({ Cmd: list })).out, '0\n1\n2\n3\n')
    assert.equal((await api.once({ Cmd: list, HostConfig: { Init: true } })).out, '0\n1\n2\n3\n')
    const id = await api.started({ Cmd: FOREVER })
    assert.equal((await exec(api, id, list)).out, '0\n1\n2\n3\n')
    assert.equal((await exec(api, id, 'ls /proc/1/fd')).out, '0\n1\n2\n')
  })
})
