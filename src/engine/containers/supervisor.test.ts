import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { EngineError } from '#base/errors.ts'
import type { Shim } from '#runtime/shim.ts'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'

let machine: FakeMachine
let engine: TestEngine

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
})
afterEach(() => machine[Symbol.dispose]())

const PORT = {
  ExposedPorts: { '80/tcp': {} },
  HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
}
const gone = new EngineError('unavailable', 'the supervisor of the container is gone', { code: 'SHIM_GONE' })

/** The shim of the next start behaves otherwise. */
function nextShim(change: (shim: Shim) => Partial<Shim>): void {
  const { shims } = machine
  const spawn = shims.spawn.bind(shims)
  shims.spawn = async (directory, config) => {
    shims.spawn = spawn
    const shim = await spawn(directory, config)
    return Object.assign(Object.create(shim), bound(shim), change(shim))
  }
}

/** Private fields need the real object. */
function bound(shim: Shim): Partial<Shim> {
  return {
    watch: (options) => shim.watch(options),
    start: () => shim.start(),
    attach: (target, streams) => shim.attach(target, streams),
    kill: (target, signal) => shim.kill(target, signal),
    discard: () => shim.discard(),
  }
}

async function assertNothingRuns(): Promise<void> {
  await engine.settled()
  assert.deepEqual(machine.shims.running, [])
  assert.deepEqual(machine.shims.supervising, [])
  assert.deepEqual(await machine.directories.list('/run/berth/c'), [])
  assert.equal(engine.networks.published.size, 0)
  assert.equal(engine.networks.leased.size, 0)
}

describe('Supervisor.launch()', () => {
  it('leaves nothing of a command that cannot be started, and says why', async () => {
    const id = await engine.create({ ...PORT, Cmd: ['nosuch'] })
    const message = /failed to create task .* exec: "nosuch": executable file not found in \$PATH: unknown/
    await assert.rejects(engine.lifecycle.start(id), message)
    await assertNothingRuns()
    const { state } = engine.container(id)
    assert.equal(state.status, 'created')
    assert.equal(state.status === 'created' && state.last?.exitCode, 127)
    assert.match((state.status === 'created' && state.last?.error) || '', message)
    assert.deepEqual(engine.takeEvents(), ['create'])
  })

  it('leaves nothing wherever it fails', async () => {
    const failures: (() => void)[] = [
      () => Object.assign(engine.parts.bundles, { write: () => Promise.reject(new Error('broken')) }),
      () => (machine.shims.spawn = () => Promise.reject(new Error('broken'))),
      () => Object.assign(engine.networks, { publish: () => Promise.reject(new Error('broken')) }),
      () => nextShim(() => ({ watch: () => events({ type: 'error', message: 'broken' }) })),
      () => nextShim(() => ({ start: () => Promise.reject(new Error('broken')) })),
    ]
    for (const fail of failures) {
      machine[Symbol.dispose]()
      machine = new FakeMachine()
      engine = await TestEngine.start(machine)
      const id = await engine.create(PORT)
      fail()
      await assert.rejects(engine.lifecycle.start(id), /broken/)
      await assertNothingRuns()
      assert.equal(engine.status(id), 'created')
    }
  })

  it('changes nothing when it is cancelled before there is a process', async () => {
    const id = await engine.create({ HostConfig: { AutoRemove: true } })
    const before = engine.container(id)
    const leaving = new AbortController()
    const { bundles } = engine.parts
    const write = bundles.write.bind(bundles)
    Object.assign(bundles, {
      write: (...args: Parameters<typeof write>) => {
        leaving.abort(new EngineError('cancelled', 'left', { code: 'REQUEST_CANCELLED' }))
        return write(...args)
      },
    })
    await assert.rejects(engine.lifecycle.start(id, { signal: leaving.signal }), /left/)
    await assertNothingRuns()
    assert.deepEqual(engine.container(id), before)
  })

  it('ends a restart for good when a start by hand is cancelled', async () => {
    const id = await engine.run({ HostConfig: { RestartPolicy: { Name: 'always' } } })
    machine.shims.init(id).end(3)
    await engine.settled()
    const { bundles } = engine.parts
    const leaving = new AbortController()
    Object.assign(bundles, {
      write: () => {
        leaving.abort(new EngineError('cancelled', 'left', { code: 'REQUEST_CANCELLED' }))
        return Promise.reject(leaving.signal.reason as Error)
      },
    })
    await assert.rejects(engine.lifecycle.start(id, { signal: leaving.signal }), /left/)
    const { state } = engine.container(id)
    assert.equal(state.status, 'exited')
    assert.equal(state.status === 'exited' && state.last.exitCode, 3)
  })

  it('succeeds when the process runs and only the answer was lost', async () => {
    const id = await engine.create()
    nextShim((shim) => ({
      start: async () => {
        await shim.start()
        await engine.settled()
        throw gone
      },
    }))
    await engine.lifecycle.start(id)
    assert.equal(engine.pid(id), machine.shims.init(id).pid)
  })

  it('ends the process of a start that was given up', async () => {
    const id = await engine.create()
    nextShim((shim) => ({
      start: async () => {
        await shim.start()
        throw gone
      },
      // Nothing is heard before it is too late.
      watch: (options) => late(shim.watch(options)),
    }))
    await assert.rejects(engine.lifecycle.start(id), /supervisor of the container is gone/)
    await assertNothingRuns()
    assert.equal(engine.status(id), 'created')
    assert.deepEqual(engine.takeEvents(), ['create'])
  })

  it('ends what runs without a shim when that was killed during the start', async () => {
    const id = await engine.create()
    nextShim((shim) => ({
      start: async () => {
        await shim.start()
        machine.shims.init(id).orphan()
        throw gone
      },
      watch: () => events({ type: 'ready' }),
    }))
    const starting = engine.lifecycle.start(id)
    starting.catch(() => undefined)
    await engine.settled()
    await machine.clock.advance(100)
    await assert.rejects(starting, /supervisor of the container is gone/)
    await assertNothingRuns()
  })

  it('waits for a port that the container before it gives back', async () => {
    const first = await engine.run(PORT)
    const second = await engine.create(PORT)
    const { networks } = engine
    const unpublish = networks.unpublish.bind(networks)
    networks.unpublish = async (id) => {
      await engine.settled()
      await unpublish(id)
    }
    await engine.lifecycle.stop(first)
    await engine.lifecycle.start(second)
    assert.equal(engine.networks.published.get(second)?.[0]?.hostPort, 8080)
  })

  it('starts a container again whose ports could not be taken back', async () => {
    const id = await engine.run(PORT)
    const { networks } = engine
    const unpublish = networks.unpublish.bind(networks)
    networks.unpublish = async (container) => {
      networks.unpublish = unpublish
      await unpublish(container)
      throw new Error('nft is gone')
    }
    await engine.lifecycle.stop(id)
    await engine.lifecycle.start(id)
    assert.equal(engine.status(id), 'running')
    assert.match(machine.log.join(''), /nft is gone/)
  })

  it('makes room for the log and the exit record of a container that shares a network', async () => {
    const first = await engine.run({}, 'first')
    assert.ok(first)
    const id = await engine.run({ HostConfig: { NetworkMode: 'container:first' } })
    assert.ok(machine.directories.made.has(engine.parts.paths(id).data))
  })

  it('fails, and leaves nothing, when the disk is full', async () => {
    const id = await engine.create()
    machine.db.exec(FULL)
    await assert.rejects(engine.lifecycle.start(id), /full/)
    await assertNothingRuns()
    machine.db.exec('DROP TRIGGER full')
    await engine.lifecycle.start(id)
  })
})

describe('a process that ends', () => {
  it('is seen to have ended although the disk is full', async () => {
    const id = await engine.run()
    const { result } = engine.lifecycle.wait(id, 'next-exit')
    machine.db.exec(FULL)
    machine.shims.init(id).end(5)
    assert.deepEqual(await result, { StatusCode: 5 })
    assert.equal(engine.status(id), 'exited')
    machine.db.exec('DROP TRIGGER full')
    await engine.lifecycle.remove(id, { force: false, volumes: false, link: false })
  })

  it('is told in Docker order, with its code and how long it ran', async () => {
    const id = await engine.run()
    engine.takeEvents()
    machine.shims.init(id).end(5)
    await engine.settled()
    assert.deepEqual(engine.takeEvents(), ['die 5', 'network disconnect'])
  })

  it('was out of memory when one of its processes was', async () => {
    const id = await engine.run()
    machine.shims.init(id).oom()
    await engine.settled()
    const { state } = engine.container(id)
    assert.equal(state.status === 'running' && state.run.oomKilled, true)
    engine = await engine.crash()
    assert.deepEqual(engine.takeEvents(), [])
    machine.shims.init(id).end(1)
    await engine.settled()
    const after = engine.container(id).state
    assert.equal(after.status === 'exited' && after.last.oomKilled, true)
  })

  it('is ended when its shim is killed', async () => {
    const id = await engine.run()
    machine.shims.init(id).orphan()
    await engine.settled()
    const { state } = engine.container(id)
    assert.match(
      (state.status === 'exited' && state.last.error) || '',
      /supervisor of the container was killed/,
    )
    await assertNothingRuns()
  })

  it('has not ended because our watch was cut off', async () => {
    const id = await engine.create()
    let cuts = 0
    nextShim((shim) => ({
      watch: (options) => (cuts++ === 0 ? first(2, shim.watch(options)) : shim.watch(options)),
    }))
    await engine.lifecycle.start(id)
    await engine.settled()
    await machine.clock.advance(1000)
    assert.equal(engine.status(id), 'running')
    machine.shims.init(id).end(4)
    await engine.settled()
    assert.equal(engine.status(id), 'exited')
    assert.equal(engine.takeEvents().filter((event) => event === 'start').length, 1)
  })
})

describe('Supervisor.close()', () => {
  it('leaves containers and their execs running', async () => {
    const id = await engine.run()
    const { Id } = await engine.execs.create(id, { Cmd: ['sleep', '1000'] })
    await engine.execs.start(Id, { detach: true, tty: false })
    await engine.close()
    assert.equal(machine.shims.running.length, 1)
    const next = await TestEngine.start(machine)
    assert.equal(next.status(id), 'running')
  })

  it('finishes a start that is under way, and begins none', async () => {
    const id = await engine.create()
    const other = await engine.create()
    engine.turns.script()
    const starting = engine.lifecycle.start(id)
    await engine.settled()
    const closing = engine.close()
    const refused = engine.lifecycle.start(other)
    refused.catch(() => undefined)
    while (engine.turns.waiting > 0) {
      engine.turns.next(() => 0)
      await engine.settled()
    }
    await closing
    assert.equal(await starting, true)
    await assert.rejects(refused, /shutting down/)
    const next = await TestEngine.start(machine)
    assert.deepEqual([next.status(id), next.status(other)], ['running', 'created'])
  })

  it('keeps a restart for the next daemon', async () => {
    const id = await engine.run({ HostConfig: { RestartPolicy: { Name: 'always' } } })
    machine.shims.init(id).end(1)
    await engine.settled()
    await engine.close()
    await machine.clock.advance(60_000)
    assert.equal(machine.shims.running.length, 0)
    const next = await TestEngine.start(machine)
    await machine.clock.advance(0)
    await next.settled()
    assert.equal(next.status(id), 'running')
  })
})

const FULL = `CREATE TRIGGER full BEFORE UPDATE ON containers BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`

async function* events<T>(...items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

async function* first<T>(count: number, items: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const item of items) {
    yield item
    if (--count === 0) return
  }
}

async function* late<T extends { readonly type: string }>(items: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const item of items) {
    if (item.type !== 'ready') for (let i = 0; i < 5; i++) await engine.settled()
    yield item
  }
}
