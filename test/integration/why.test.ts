/** `berth why CONTAINER` and what it is made of: who asked, as the kernel says, also after the engine was killed. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import type { ContainerWhy } from '#api/container-why.ts'
import { EngineApi } from '#test/support/engine-api.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const FOREVER = 'echo first; echo last words; trap "" TERM; while :; do sleep 0.05; done'
const why = async (id: string) => (await api.call('GET', `/berth/containers/${id}/why`)).json<ContainerWhy>()

describe('berth why', () => {
  it('names who stopped a container and what it said last, also to the next engine', async () => {
    const id = await api.started({ Cmd: FOREVER })
    assert.match(
      (await why(id)).Summary,
      /^It is running since .*, when root with \S+ \(pid \d+\) started it\.$/,
    )
    assert.equal(api.daemon.berth('stop', '-t', '1', id).code, 0)
    await api.daemon.down('SIGKILL')
    await api.daemon.up()
    const { code, stdout } = api.daemon.berth('why', id)
    assert.equal(code, 0)
    assert.match(
      stdout,
      /is exited: It was stopped by root with \S+ \(pid \d+\)\.\nExit code 137 \(SIGKILL\)/,
    )
    assert.match(stdout, /It did not end after SIGTERM in time, and was killed\.\nNext: /)
    assert.match(
      stdout,
      /\n[\d-]+ [\d:]+ +kill, signal 15 +by root with \S+ [^]*Its last lines:\nfirst\nlast words\n$/,
    )
  })

  it('names another user than root', async () => {
    const id = await api.started({ Cmd: FOREVER })
    chmodSync(api.daemon.root, 0o755)
    chmodSync(api.daemon.socket, 0o666)
    const kill = [
      'curl',
      '-s',
      '--unix-socket',
      api.daemon.socket,
      '-X',
      'POST',
      `http://d/containers/${id}/kill`,
    ]
    assert.equal(spawnSync('setpriv', ['--reuid', '65534', '--clear-groups', ...kill]).status, 0)
    assert.match((await why(id)).Summary, /^It was sent a signal by nobody with curl \(pid \d+\)\.$/)
  })

  it('writes nothing down that may be secret', async () => {
    const id = await api.started({ Cmd: 'true', Env: ['TOKEN=hunter2'] })
    await api.call('POST', `/containers/${id}/rename?name=hunter2-in-the-query`, undefined, 204)
    const rows = api.daemon.query('SELECT group_concat(path || caller) AS text FROM requests')
    assert.match(rows, /\/rename/)
    assert.doesNotMatch(rows, /hunter2/)
  })
})
