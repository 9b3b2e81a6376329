import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { FakeMachine, IMAGE_ID, TestEngine } from '#test/support/engine.ts'
import { inspectDocument } from './inspect.ts'
import { type ListContext, filterContainers, summaryOf } from './list.ts'
import { NEVER } from './state.ts'

let machine: FakeMachine
let engine: TestEngine

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
})
afterEach(() => machine[Symbol.dispose]())

const PORTS = {
  ExposedPorts: { '80/tcp': {}, '443/tcp': {} },
  HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
}
const context = (): ListContext => ({
  networkId: (name) => engine.knownNetworks.named(name)?.id ?? '',
  health: (id) => engine.health.of(id),
  now: machine.clock.now(),
  imageName: ({ image }) => image,
  linkNames: new Map(),
  descendants: (reference) => new Set(reference === 'busybox' ? [IMAGE_ID] : []),
})

function inspect(id: string) {
  return inspectDocument(engine.container(id), {
    paths: engine.parts.paths(id),
    networkId: (name) => engine.knownNetworks.named(name)?.id ?? '',
    execIds: engine.execs.openIn(id),
    health: engine.health.of(id),
    links: null,
    driver: 'overlay2',
    upper: '/upper',
    sandboxKey: '',
  })
}

describe('inspectDocument()', () => {
  it('shows each state in the words of Docker', async () => {
    const id = await engine.create()
    const facts = () => {
      const { Status, Running, Paused, Restarting, Pid, ExitCode, Error } = inspect(id).State ?? {}
      return [Status, Running, Paused, Restarting, Pid, ExitCode, Error]
    }
    assert.deepEqual(facts(), ['created', false, false, false, 0, 0, ''])
    assert.equal(inspect(id).State?.StartedAt, NEVER)
    await engine.lifecycle.start(id)
    assert.deepEqual(facts(), ['running', true, false, false, engine.pid(id), 0, ''])
    assert.equal(inspect(id).State?.FinishedAt, NEVER)
    await engine.lifecycle.pause(id)
    assert.deepEqual(facts(), ['paused', true, true, false, engine.pid(id), 0, ''])
    await engine.lifecycle.unpause(id)
    await machine.clock.advance(1500)
    machine.shims.init(id).end(3)
    await engine.settled()
    assert.deepEqual(facts(), ['exited', false, false, false, 0, 3, ''])
    const { StartedAt, FinishedAt } = inspect(id).State ?? {}
    assert.equal(Date.parse(FinishedAt ?? '') - Date.parse(StartedAt ?? ''), 1500)

    await engine.lifecycle.start(id)
    assert.equal(inspect(id).State?.FinishedAt, FinishedAt)
    assert.equal(inspect(id).State?.ExitCode, 0)
  })

  it('says running while it waits for a restart', async () => {
    const id = await engine.run({ HostConfig: { RestartPolicy: { Name: 'always' } } })
    machine.shims.init(id).end(3)
    await engine.settled()
    const { Status, Running, Restarting, Pid, ExitCode } = inspect(id).State ?? {}
    assert.deepEqual([Status, Running, Restarting, Pid, ExitCode], ['restarting', true, true, 0, 3])
    await machine.clock.advance(100)
    await engine.settled()
    assert.equal(inspect(id).RestartCount, 1)
  })

  it('shows ports and addresses of a container that runs, and none of another', async () => {
    const id = await engine.run(PORTS)
    const { Ports, Networks, SandboxID } = inspect(id).NetworkSettings ?? {}
    assert.deepEqual(Ports, {
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8080' },
        { HostIp: '::', HostPort: '8080' },
      ],
      '443/tcp': null,
    })
    assert.match(Networks?.['bridge']?.IPAddress ?? '', /^172\.17\./)
    assert.equal(SandboxID, id)
    await engine.lifecycle.stop(id)
    const stopped = inspect(id).NetworkSettings
    assert.deepEqual(stopped?.Ports, {})
    assert.equal(stopped?.Networks?.['bridge']?.IPAddress, '')
  })

  it('has no network of its own in that of another container', async () => {
    await engine.run({}, 'first')
    const id = await engine.run({ HostConfig: { NetworkMode: 'container:first' } })
    assert.deepEqual(inspect(id).NetworkSettings?.Networks, {})
  })
})

describe('summaryOf()', () => {
  it('is what ps prints', async () => {
    const id = await engine.run({ ...PORTS, Cmd: ['sleep', 'a b'], Labels: { x: '1' } }, 'web')
    await machine.clock.advance(180_000)
    const { Names, Command, State, Status, Ports, Labels, Health, ImageID } = summaryOf(
      engine.container(id),
      context(),
    )
    assert.deepEqual([Names, Command, State, Status], [['/web'], "sleep 'a b'", 'running', 'Up 3 minutes'])
    assert.deepEqual(Labels, { x: '1' })
    assert.deepEqual(Health, { Status: 'none', FailingStreak: 0 })
    assert.equal(ImageID, IMAGE_ID)
    assert.deepEqual(Ports, [
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { PrivatePort: 443, Type: 'tcp' },
    ])
    await engine.lifecycle.stop(id)
    await machine.clock.advance(7_200_000)
    const after = summaryOf(engine.container(id), context())
    assert.deepEqual([after.Status, after.Ports], ['Exited (143) 2 hours ago', []])
  })

  it('counts failures of a health check', async () => {
    const Healthcheck = { Test: ['CMD', 'false'], Interval: 1e9 }
    const id = await engine.run({ Healthcheck })
    for (let i = 0; i < 2; i++) {
      await machine.clock.advance(1000)
      await engine.settled()
    }
    const { Health, Status } = summaryOf(engine.container(id), context())
    assert.deepEqual(Health, { Status: 'starting', FailingStreak: 2 })
    assert.match(Status ?? '', /\(health: starting\)$/)
  })
})

describe('filterContainers()', () => {
  const filter = (filters: Record<string, string[]>): string[] =>
    filterContainers(engine.registry.all(), new Map(Object.entries(filters)), context()).map(
      ({ name }) => name,
    )

  beforeEach(async () => {
    await engine.run({ Labels: { tier: 'db' } }, 'db')
    const web = await engine.run({ ...PORTS, Labels: { tier: 'web', blue: '' } }, 'web')
    machine.shims.init(web).end(3)
    await engine.settled()
    await engine.create({}, 'webber')
  })

  it('knows every filter', () => {
    assert.deepEqual(filter({}), ['webber', 'web', 'db'])
    assert.deepEqual(filter({ name: ['web'] }), ['webber', 'web'])
    assert.deepEqual(filter({ name: ['^/web$'] }), ['web'])
    assert.deepEqual(filter({ label: ['tier'] }), ['web', 'db'])
    assert.deepEqual(filter({ label: ['tier=web', 'blue'] }), ['web'])
    assert.deepEqual(filter({ status: ['running', 'created'] }), ['webber', 'db'])
    assert.deepEqual(filter({ exited: ['3'] }), ['web'])
    assert.deepEqual(filter({ before: ['web'] }), ['db'])
    assert.deepEqual(filter({ since: ['web'] }), ['webber'])
    assert.deepEqual(filter({ ancestor: ['busybox'] }), ['webber', 'web', 'db'])
    assert.deepEqual(filter({ ancestor: ['debian'] }), [])
    assert.deepEqual(filter({ expose: ['443/tcp'] }), [])
    assert.deepEqual(filter({ health: ['none'] }), ['webber', 'web', 'db'])
    assert.deepEqual(filter({ network: ['bridge'] }), ['webber', 'web', 'db'])
  })

  it('refuses what is no value of a filter', () => {
    assert.throws(() => filter({ status: ['happy'] }), {
      message: /^invalid filter 'status=happy': invalid value for state \(happy\): must be one of created, /,
    })
    assert.throws(() => filter({ exited: ['x'] }), { message: "invalid filter 'exited=x'" })
    assert.throws(
      () => filter({ before: ['nobody'] }),
      (error) => isKind(error, 'not_found'),
    )
    assert.throws(() => filter({ sort: ['name'] }), { message: "invalid filter 'sort'" })
  })
})
