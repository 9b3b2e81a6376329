/**
 * The daemon is killed before and after each step of what it does to networks and ports. After its next start nothing is
 * leaked or used twice, and the container has what the engine says.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { EngineApi, exec } from '#test/support/engine-api.ts'
import { KillPoints } from '#test/support/kill-points.ts'

let api: EngineApi
let points: KillPoints

before(async () => {
  points = new KillPoints()
  api = await EngineApi.start({ dress: points.dress })
})
after(async () => {
  await api[Symbol.asyncDispose]()
  points[Symbol.dispose]()
})
afterEach(async () => {
  points.disarm()
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const SERVER =
  'mkdir -p /www; echo served > /www/index.html; httpd -p 81 -h /www; httpd -p 80 -h /www; trap "exit 0" TERM; while :; do sleep 0.05; done'

interface Operation {
  /** Makes, or makes again, the state that it begins with. */
  readonly begin: () => Promise<void>
  readonly method: string
  readonly path: () => string
  readonly body?: object
  /** What must hold after the next start; `status` is that of the answer, 0 when there was none. */
  readonly check: (status: number) => Promise<void>
}

/** More steps than anything takes. */
const MOST = 60

/** Every place of an operation, until it gets to its end. */
async function atEachStep(operation: Operation, report: (text: string) => void): Promise<void> {
  let steps: string[] = []
  for (let step = 1; step < MOST; step++) {
    for (const when of ['before', 'after'] as const) {
      await operation.begin()
      await api.daemon.assertNoLeaks()
      points.arm(step, when)
      const status = await api.daemon.call(operation.method, operation.path(), operation.body).then(
        (answer) => answer.status,
        () => 0,
      )
      const made = points.disarm()
      if (made.length < step) {
        assert.ok(status >= 200 && status < 300, `${operation.path()}: ${status}`)
        report(`${steps.length} steps: ${steps.join(' | ')}`)
        return
      }
      steps = made
      // Another answer may have been given before a step that comes after it.
      await api.daemon.ended()
      await api.daemon.up()
      try {
        await api.daemon.assertNoLeaks()
        await operation.check(status)
      } catch (error) {
        throw new Error(`killed ${when} step ${made.at(-1)}`, { cause: error })
      }
    }
  }
  assert.fail(`more than ${MOST} steps`)
}

interface Attached {
  readonly IPAddress: string
}

async function networksOf(ref: string): Promise<Record<string, Attached>> {
  return (await api.inspect(ref)).NetworkSettings?.Networks as Record<string, Attached>
}

/** Interfaces, addresses and default route of a running container are those that it is said to have. */
async function assertAsTold(ref: string): Promise<void> {
  const { Id } = await api.inspect(ref)
  const networks = Object.values(await networksOf(ref))
  const { out } = await exec(api, Id, "ip -o -4 addr show scope global | awk '{ print $4 }'")
  const there = out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('/')[0])
  assert.deepEqual(new Set(there), new Set(networks.map(({ IPAddress }) => IPAddress)))
  const routes = (await exec(api, Id, 'ip route')).out.match(/default/g) ?? []
  assert.equal(routes.length, networks.length === 0 ? 0 : 1)
}

function answers(port: number): boolean {
  return api.daemon.inside('curl', '-s', '-m', '2', `http://127.0.0.1:${port}/`).stdout.trim() === 'served'
}

/** The ports of the host that lead to a container are those that it is said to have, of `all`. */
async function assertPorts(ref: string, all: readonly number[]): Promise<number[]> {
  const { State, NetworkSettings } = await api.inspect(ref)
  const { Ports } = NetworkSettings as { Ports: Record<string, { HostPort: string }[] | null> }
  const told = Object.values(Ports).flatMap((bindings) =>
    (bindings ?? []).map(({ HostPort }) => Number(HostPort)),
  )
  if (State.Status === 'running') {
    for (const port of told) await api.until(`port ${port}`, async () => answers(port))
  } else {
    assert.deepEqual(told, [])
  }
  for (const port of all.filter((one) => !told.includes(one))) assert.ok(!answers(port), `${port} is open`)
  return [...new Set(told)].toSorted((a, b) => a - b)
}

async function status(ref: string): Promise<string> {
  const answer = await api.daemon.call('GET', `/containers/${ref}/json`)
  return answer.status === 404 ? 'gone' : answer.json<{ State: { Status: string } }>().State.Status
}

async function settled(path: string, body: object, absent = false): Promise<void> {
  const answer = await api.daemon.call('POST', path, body)
  assert.ok(answer.status < 300 || absent, answer.text)
}

async function web(network: string): Promise<void> {
  const ports = { PortBindings: { '80/tcp': [{ HostPort: '8090' }] } }
  await api.started({ Cmd: SERVER, HostConfig: { NetworkMode: network, ...ports } }, 'web')
  await api.until('the server', async () => answers(8090))
}

describe('a daemon killed at each step', () => {
  it('of connect', async (test) => {
    await api.call('POST', '/networks/create', { Name: 'app' }, 201)
    await web('bridge')
    // Keeps the resolver: whether it is started is not the same each time otherwise.
    await api.started({ Cmd: SERVER, HostConfig: { NetworkMode: 'app' } }, 'keeper')
    await atEachStep(
      {
        async begin() {
          if ('app' in (await networksOf('web')))
            await settled('/networks/app/disconnect', { Container: 'web' })
        },
        method: 'POST',
        path: () => '/networks/app/connect',
        body: { Container: 'web', EndpointConfig: { GwPriority: 1 } },
        async check(code) {
          if (code === 200) assert.ok('app' in (await networksOf('web')), 'what was acknowledged holds')
          await assertAsTold('web')
          assert.deepEqual(await assertPorts('web', []), [8090])
        },
      },
      (text) => test.diagnostic(text),
    )
  })

  it('of disconnect', async (test) => {
    await api.call('POST', '/networks/create', { Name: 'app' }, 201)
    await web('app')
    await settled('/networks/bridge/connect', { Container: 'web' })
    await atEachStep(
      {
        async begin() {
          if (!('app' in (await networksOf('web'))))
            await settled('/networks/app/connect', { Container: 'web' })
        },
        method: 'POST',
        path: () => '/networks/app/disconnect',
        body: { Container: 'web' },
        async check(code) {
          if (code === 200) assert.ok(!('app' in (await networksOf('web'))), 'what was acknowledged holds')
          await assertAsTold('web')
          assert.deepEqual(await assertPorts('web', []), [8090])
        },
      },
      (text) => test.diagnostic(text),
    )
  })

  it('of a start that publishes, and of a removal', async (test) => {
    await api.call('POST', '/networks/create', { Name: 'app' }, 201)
    const keeper = await api.started({ Cmd: SERVER, HostConfig: { NetworkMode: 'app' } }, 'keeper')
    const config = {
      Cmd: SERVER,
      HostConfig: { NetworkMode: 'app', PortBindings: { '80/tcp': [{ HostPort: '8091' }], '81/tcp': [{}] } },
    }
    const check = async (): Promise<void> => {
      const state = await status('web')
      if (state === 'gone') {
        assert.ok(!answers(8091))
      } else {
        await assertPorts('web', [8091])
        await api.call('POST', '/containers/web/start', undefined, 204, 304)
        await assertAsTold('web')
        const addresses = [await networksOf('web'), await networksOf(keeper)].map(({ app }) => app?.IPAddress)
        assert.equal(new Set(addresses).size, 2, 'an address is used twice')
      }
      // The port is one container's at a time.
      const second = await api.create(config, 'second')
      const { status: code } = await api.daemon.call('POST', `/containers/${second}/start`)
      assert.equal(code, state === 'gone' ? 204 : 500)
      await api.remove(second)
    }
    await atEachStep(
      {
        async begin() {
          if ((await status('web')) !== 'gone') await api.remove('web')
          await api.create(config, 'web')
        },
        method: 'POST',
        path: () => '/containers/web/start',
        async check(code) {
          if (code === 204) assert.equal(await status('web'), 'running', 'what was acknowledged holds')
          await check()
        },
      },
      (text) => test.diagnostic(`start: ${text}`),
    )
    await atEachStep(
      {
        async begin() {
          if ((await status('web')) === 'gone') await api.create(config, 'web')
          await api.call('POST', '/containers/web/start', undefined, 204, 304)
        },
        method: 'DELETE',
        path: () => '/containers/web?force=1',
        async check(code) {
          if (code === 204) assert.equal(await status('web'), 'gone', 'what was acknowledged holds')
          await check()
        },
      },
      (text) => test.diagnostic(`remove: ${text}`),
    )
  })

  it('of making and removing a network', async (test) => {
    const there = async (): Promise<boolean> => (await api.daemon.call('GET', '/networks/n')).status === 200
    const Subnet = '10.77.0.0/24'
    const body = { Name: 'n', EnableIPv6: true, IPAM: { Config: [{ Subnet }] } }
    // Its subnet is free, or the network's.
    const check = async (): Promise<void> => {
      if (await there()) return
      await api.call('POST', '/networks/create', body, 201)
    }
    await atEachStep(
      {
        begin: async () =>
          void ((await there()) && (await api.call('DELETE', '/networks/n', undefined, 204))),
        method: 'POST',
        path: () => '/networks/create',
        body,
        async check(code) {
          if (code === 201) assert.ok(await there(), 'what was acknowledged holds')
          await check()
        },
      },
      (text) => test.diagnostic(`create: ${text}`),
    )
    await atEachStep(
      {
        begin: check,
        method: 'DELETE',
        path: () => '/networks/n',
        async check(code) {
          if (code === 204) assert.ok(!(await there()), 'what was acknowledged holds')
          await check()
        },
      },
      (text) => test.diagnostic(`remove: ${text}`),
    )
  })

  it('of a change of published ports', async (test) => {
    await web('bridge')
    const port = (HostPort: string) => [{ HostPort }]
    const change = (add: object, remove: object) => ({ Berth: { PublishAdd: add, PublishRemove: remove } })
    await atEachStep(
      {
        async begin() {
          if ((await assertPorts('web', [])).includes(8090)) return
          await settled('/containers/web/update', change({ '80': port('8090') }, { '81': [] }))
        },
        method: 'POST',
        path: () => '/containers/web/update',
        body: change({ '81': port('8095') }, { '80': port('8090') }),
        async check(code) {
          const ports = await assertPorts('web', [8090, 8095])
          if (code === 200) assert.deepEqual(ports, [8095], 'what was acknowledged holds')
          // Both or neither.
          assert.equal(ports.length, 1)
          const { PortBindings } = (await api.inspect('web')).HostConfig ?? {}
          assert.deepEqual(Object.keys(PortBindings ?? {}), [ports[0] === 8095 ? '81/tcp' : '80/tcp'])
        },
      },
      (text) => test.diagnostic(text),
    )
  })
})
