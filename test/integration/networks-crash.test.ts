/** The daemon is killed while networks come and go and containers join and leave them: nothing is leaked or used twice. */
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

const SLEEP = 'trap "exit 0" TERM; while :; do sleep 0.05; done'
/** Parts of the time that an operation takes: from before the request is read to after it is answered. */
const MOMENTS = [0.01, 0.3, 0.6, 0.9, 1.3]

/** The moments of an operation in milliseconds, by trying it once. */
async function momentsOf(operation: () => Promise<unknown>): Promise<number[]> {
  const since = performance.now()
  await operation()
  const took = performance.now() - since
  return MOMENTS.map((part) => part * took)
}

/** Sends a request and kills the daemon a moment later; the status, if there was an answer. */
async function cutShort(moment: number, method: string, path: string, body?: unknown): Promise<number> {
  const answer = api.daemon.call(method, path, body).then(
    ({ status }) => status,
    () => 0,
  )
  await new Promise((resolve) => setTimeout(resolve, moment))
  await api.daemon.down('SIGKILL')
  const status = await answer
  await api.daemon.up()
  return status
}

interface Attached {
  readonly IPAddress: string
  readonly EndpointID: string
}

async function networksOf(id: string): Promise<Record<string, Attached>> {
  return (await api.inspect(id)).NetworkSettings?.Networks as Record<string, Attached>
}

/** Interfaces, addresses and default route of a container are those that it is said to have. */
async function assertAsTold(id: string): Promise<void> {
  const networks = Object.values(await networksOf(id))
  const { out } = await exec(api, id, "ip -o -4 addr show scope global | awk '{ print $4 }'")
  const there = out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('/')[0])
  assert.deepEqual(new Set(there), new Set(networks.map(({ IPAddress }) => IPAddress)))
  const routes = (await exec(api, id, 'ip route')).out.match(/default/g) ?? []
  assert.equal(routes.length, networks.length === 0 ? 0 : 1)
}

async function network(name: string): Promise<void> {
  await api.call('POST', '/networks/create', { Name: name }, 201)
}

describe('a daemon killed in the middle', () => {
  it('of connect: the container is on the network, or nothing has happened', async () => {
    await network('app')
    const ports = { PortBindings: { '80/tcp': [{ HostPort: '8090' }] } }
    const id = await api.started({ Cmd: SLEEP, HostConfig: ports }, 'web')
    const seen = new Set<boolean>()
    const body = { Container: 'web', EndpointConfig: { GwPriority: 1 } }
    const moments = await momentsOf(() => api.call('POST', '/networks/app/connect', body, 200))
    await api.call('POST', '/networks/app/disconnect', { Container: 'web' }, 200)
    for (const moment of moments) {
      const status = await cutShort(moment, 'POST', '/networks/app/connect', body)
      const joined = 'app' in (await networksOf(id))
      seen.add(joined)
      if (status === 200) assert.ok(joined, 'what was acknowledged holds')
      await assertAsTold(id)
      await api.daemon.assertNoLeaks()
      if (!joined) await api.call('POST', '/networks/app/connect', body, 200)
      await assertAsTold(id)
      await api.call('POST', '/networks/app/disconnect', { Container: 'web' }, 200)
    }
    assert.deepEqual(seen, new Set([false, true]), 'both outcomes were met')
  })

  it('of disconnect: the container is on the network still, or not any more', async () => {
    await network('app')
    const ports = { PortBindings: { '80/tcp': [{ HostPort: '8091' }] } }
    const id = await api.started({ Cmd: SLEEP, HostConfig: { NetworkMode: 'app', ...ports } }, 'web')
    await api.call('POST', '/networks/bridge/connect', { Container: 'web' }, 200)
    const leave = { Container: 'web' }
    const moments = await momentsOf(() => api.call('POST', '/networks/app/disconnect', leave, 200))
    await api.call('POST', '/networks/app/connect', leave, 200)
    for (const moment of moments) {
      const status = await cutShort(moment, 'POST', '/networks/app/disconnect', leave)
      const joined = 'app' in (await networksOf(id))
      if (status === 200) assert.ok(!joined, 'what was acknowledged holds')
      await assertAsTold(id)
      await api.daemon.assertNoLeaks()
      if (joined) await api.call('POST', '/networks/app/disconnect', { Container: 'web' }, 200)
      await api.call('POST', '/networks/app/connect', { Container: 'web' }, 200)
      await assertAsTold(id)
    }
  })

  it('of creating and removing a network: it is there or it is not', async () => {
    const moments = await momentsOf(() => network('n'))
    for (const [i, moment] of moments.entries()) {
      const made = await cutShort(moment, 'POST', '/networks/create', { Name: `n${i}` })
      await api.daemon.assertNoLeaks()
      const there = (await api.daemon.call('GET', `/networks/n${i}`)).status === 200
      if (made === 201) assert.ok(there, 'what was acknowledged holds')
      if (!there) await network(`n${i}`)
      const removed = await cutShort(moment, 'DELETE', `/networks/n${i}`)
      await api.daemon.assertNoLeaks()
      const { status } = await api.daemon.call('GET', `/networks/n${i}`)
      if (removed === 204) assert.equal(status, 404, 'what was acknowledged holds')
    }
  })

  it('of starting and removing containers: addresses and ports are free, and given once', async () => {
    await network('app')
    let keeper = ''
    const moments = await momentsOf(async () => {
      keeper = await api.started({ Cmd: SLEEP, HostConfig: { NetworkMode: 'app' } })
    })
    for (const moment of moments) {
      const HostConfig = { NetworkMode: 'app', PortBindings: { '80/tcp': [{ HostPort: '8092' }] } }
      const id = await api.create({ Cmd: SLEEP, HostConfig })
      await cutShort(moment, 'POST', `/containers/${id}/start`)
      await api.daemon.assertNoLeaks()
      await api.call('POST', `/containers/${id}/start`, undefined, 204, 304)
      const addresses = await Promise.all(
        [keeper, id].map(async (one) => (await networksOf(one))['app']?.IPAddress),
      )
      assert.equal(new Set(addresses).size, 2)
      await cutShort(moment, 'DELETE', `/containers/${id}?force=1`)
      await api.daemon.assertNoLeaks()
      await api.daemon.call('DELETE', `/containers/${id}?force=1`)
    }
  })
})

describe('a daemon that is away', () => {
  it('finds networks whose bridges are gone, and containers whose links have lost theirs', async () => {
    await network('app')
    const [a, b] = [
      await api.started({ Cmd: SLEEP, HostConfig: { NetworkMode: 'app' } }),
      await api.started({ Cmd: SLEEP, HostConfig: { NetworkMode: 'app' } }),
    ]
    const { Id } = (await api.call('GET', '/networks/app')).json<{ Id: string }>()
    await api.daemon.down('SIGKILL')
    assert.equal(api.daemon.inside('ip', 'link', 'delete', `br-${Id.slice(0, 12)}`).code, 0)
    api.daemon.inside('nft', 'flush', 'ruleset')
    await api.daemon.up()
    const address = (await networksOf(b))['app']?.IPAddress ?? ''
    await api.until('the way back', async () => (await exec(api, a, `ping -c 1 -W 1 ${address}`)).code === 0)
  })
})
