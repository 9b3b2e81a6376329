/** `--bridge none`: no default network; whoever wants one names it. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { EngineApi, exec } from '#test/support/engine-api.ts'

const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'
const LINKS = 'ls /sys/class/net'

let api: EngineApi

before(async () => {
  api = await EngineApi.start({ args: ['--bridge', 'none'] })
})
after(() => api[Symbol.asyncDispose]())

describe('without a default network', () => {
  it('there is none in the list, and no interface', async () => {
    const all = (await api.call('GET', '/networks')).json<{ Name: string }[]>()
    assert.deepEqual(
      all.map(({ Name }) => Name),
      ['host', 'none'],
    )
    assert.equal(api.daemon.inside('ip', '-o', 'link', 'show', 'type', 'bridge').stdout, '')
    const id = await api.create({ Cmd: 'true' })
    assert.match(
      await api.refused(404, 'POST', '/networks/bridge/connect', { Container: id }),
      /network bridge not found/,
    )
  })

  it('containers that name none have their loopback alone', async () => {
    const plain = await api.started({ Cmd: FOREVER })
    const NetworkingConfig = { EndpointsConfig: { default: {} } }
    const asked = await api.started({
      Cmd: FOREVER,
      HostConfig: { NetworkMode: 'default' },
      NetworkingConfig,
    })
    for (const id of [plain, asked]) assert.equal((await exec(api, id, LINKS)).out, 'lo\n')
  })

  it('networks that are made are as they always are', async () => {
    await api.call('POST', '/networks/create', { Name: 'app' }, 201)
    const id = await api.started({ Cmd: FOREVER, HostConfig: { NetworkMode: 'app' } }, 'web')
    const other = await api.started({ Cmd: FOREVER })
    await api.call('POST', '/networks/app/connect', { Container: other }, 200)
    assert.equal((await exec(api, other, 'nslookup web')).code, 0)
    await api.daemon.down()
    await api.daemon.up()
    assert.equal((await exec(api, other, 'nslookup web')).code, 0)
    await api.call('POST', `/containers/${id}/restart?t=0`, undefined, 204)
    assert.equal((await exec(api, id, LINKS)).out, 'eth0\nlo\n')
  })
})
