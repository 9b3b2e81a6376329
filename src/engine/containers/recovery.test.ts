import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'

let machine: FakeMachine
let engine: TestEngine

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
})
afterEach(() => machine[Symbol.dispose]())

const ALWAYS = { HostConfig: { RestartPolicy: { Name: 'always' } } } as const

describe('recover(): a row that runs', () => {
  it('is adopted with pid and start, and can be stopped', async () => {
    const id = await engine.run()
    const { state } = engine.container(id)
    engine = await engine.crash()
    assert.deepEqual(engine.container(id).state, state)
    assert.deepEqual(engine.takeEvents(), [])
    await engine.lifecycle.stop(id)
    assert.equal(engine.status(id), 'exited')
  })

  it('has ended with the code that the shim tells', async () => {
    const id = await engine.run()
    engine.kill()
    machine.shims.init(id).end(42)
    engine = await TestEngine.start(machine)
    const { state } = engine.container(id)
    assert.equal(state.status, 'exited')
    assert.equal(state.status === 'exited' && state.last.exitCode, 42)
    assert.deepEqual(engine.takeEvents(), ['die 42', 'network disconnect'])
  })

  it('was ended when its shim is gone, and nothing of it lives', async () => {
    const id = await engine.run()
    engine.kill()
    machine.shims.init(id).orphan()
    engine = await TestEngine.start(machine)
    assert.equal(engine.status(id), 'exited')
    assert.equal(machine.shims.running.length, 0)
    await engine.lifecycle.start(id)
  })

  it('was ended by a boot; no process of the new one is touched', async () => {
    const id = await engine.run()
    const pid = engine.pid(id)
    engine.kill()
    machine.shims.init(id).orphan()
    machine.bootId = 'boot-2'
    const killed: number[] = []
    machine.kill = async (target) => killed.push(target) > 0
    engine = await TestEngine.start(machine)
    assert.equal(engine.status(id), 'exited')
    assert.ok(!killed.includes(pid))
  })

  it('ends when its shim dies while it is being adopted', async () => {
    const id = await engine.run()
    engine.kill()
    const connect = machine.shims.connect.bind(machine.shims)
    machine.shims.connect = async (directory) => {
      machine.shims.connect = connect
      const shim = await connect(directory)
      machine.shims.init(id).orphan()
      return shim && Object.assign(Object.create(shim), { watch: nothing })
    }
    engine = await TestEngine.start(machine)
    await engine.settled()
    assert.equal(engine.status(id), 'exited')
    assert.equal(machine.shims.running.length, 0)
  })

  it('is adopted though its address belongs to another one', async () => {
    const id = await engine.run()
    engine.kill()
    const next = new TestEngine(machine)
    const { networks } = next.parts
    Object.assign(next.networks, {
      adopt: () => {
        throw new Error('taken')
      },
    })
    assert.ok(networks)
    await next.recover()
    assert.equal(next.status(id), 'running')
    assert.match(machine.log.join(''), /taken/)
  })

  it('stands still again, or goes on again, as its row says', async () => {
    const paused = await engine.run()
    await engine.lifecycle.pause(paused)
    const running = await engine.run()
    engine.kill()
    machine.shims.init(paused).thaw()
    machine.shims.init(running).freeze()
    engine = await TestEngine.start(machine)
    assert.equal(machine.shims.init(paused).frozen, true)
    assert.equal(machine.shims.init(running).frozen, false)
  })
})

describe('recover(): a row that does not run', () => {
  it('ends a process that nobody was told about', async () => {
    const id = await engine.create()
    const before = engine.container(id).state
    engine.turns.script()
    engine.lifecycle.start(id).catch(() => undefined)
    while (machine.shims.running.length === 0) {
      await engine.settled()
      engine.turns.next(() => 0)
    }
    engine = await engine.crash()
    assert.deepEqual(engine.container(id).state, before)
    assert.equal(machine.shims.running.length, 0)
    assert.deepEqual(machine.shims.supervising, [])
    await engine.lifecycle.start(id)
  })

  it('is removed when that was its fate', async () => {
    const ended = await engine.run({ HostConfig: { AutoRemove: true } })
    const created = await engine.create({ HostConfig: { AutoRemove: true } })
    engine.kill()
    machine.shims.init(ended).end(0)
    engine = await TestEngine.start(machine)
    await engine.settled()
    assert.equal(engine.status(ended), 'gone')
    assert.equal(engine.status(created), 'created')
  })

  it('gets its files again when a power cut took them', async () => {
    const id = await engine.create({}, 'web')
    engine.kill()
    await machine.snapshots.remove(id)
    engine = await TestEngine.start(machine)
    assert.deepEqual(await machine.snapshots.snapshots(), [id])
    assert.match(machine.log.join(''), /files of a container were lost/)
    await engine.lifecycle.start(id)
  })
})

describe('recover(): restarts', () => {
  it('applies the policy once to a container that ended meanwhile', async () => {
    const id = await engine.run(ALWAYS)
    engine.kill()
    machine.shims.init(id).end(1)
    engine = await TestEngine.start(machine)
    await machine.clock.advance(0)
    await engine.settled()
    assert.equal(engine.status(id), 'running')
    assert.equal(engine.container(id).restartCount, 1)
    await machine.clock.advance(60_000)
    assert.equal(engine.container(id).restartCount, 1)
  })

  it('waits until every address is known', async () => {
    const dead = await engine.run(ALWAYS)
    const alive = await engine.run()
    const { state } = engine.container(alive)
    engine.kill()
    machine.shims.init(dead).end(1)
    // The one that lives answers late.
    const connect = machine.shims.connect.bind(machine.shims)
    machine.shims.connect = async (directory) => {
      if (directory.endsWith(alive.slice(0, 32))) await machine.clock.advance(1000)
      return connect(directory)
    }
    engine = await TestEngine.start(machine)
    await engine.settled()
    assert.deepEqual(engine.container(alive).state, state)
    assert.equal(engine.status(dead), 'running')
    const addresses = [alive, dead].map((id) => {
      const now = engine.container(id).state
      return now.status === 'running' ? now.run.endpoints[0]?.ipv4 : undefined
    })
    assert.equal(new Set(addresses).size, 2)
  })

  it('starts what is always to run, and what was not stopped by hand', async () => {
    const always = await engine.run(ALWAYS)
    const unless = await engine.run({ HostConfig: { RestartPolicy: { Name: 'unless-stopped' } } })
    const never = await engine.run()
    for (const id of [always, unless, never]) await engine.lifecycle.stop(id)
    engine = await engine.crash()
    await machine.clock.advance(0)
    await engine.settled()
    assert.deepEqual(
      [always, unless, never].map((id) => engine.status(id)),
      ['running', 'exited', 'exited'],
    )
  })
})

describe('recover(): what was being removed', () => {
  it('is removed, wherever the daemon was killed', async () => {
    for (let steps = 0; ; steps++) {
      const id = await engine.run({}, `victim-${steps}`)
      await engine.settled()
      engine.turns.script()
      const removing = engine.lifecycle.remove(id, { force: true, volumes: true, link: false })
      let done = false
      removing.then(
        () => (done = true),
        () => undefined,
      )
      for (let i = 0; i < steps; i++) {
        await engine.settled()
        engine.turns.next(() => 0)
      }
      await engine.settled()
      engine = await engine.crash()
      assert.equal(engine.status(id), 'gone', `killed after ${steps} steps`)
      assert.deepEqual(await machine.snapshots.snapshots(), [])
      assert.equal(machine.shims.running.length, 0)
      if (done) break
    }
  })
})

describe('recover(): a bad row', () => {
  it('keeps the others from nothing, and can be looked at and removed', async () => {
    const good = await engine.run({}, 'good')
    const bad = await engine.run({}, 'bad')
    machine.db.run("UPDATE containers SET document = '{' WHERE id = ?", [bad])
    engine = await engine.crash()
    assert.equal(engine.status(good), 'running')
    assert.equal(engine.status('bad'), 'dead')
    assert.match(machine.log.join(''), /cannot be read/)
    assert.ok((await machine.snapshots.snapshots()).includes(bad))
    assert.equal(machine.shims.running.length, 2)
    await assert.rejects(engine.lifecycle.start('bad'), /marked for removal/)
    await assert.rejects(engine.create({}, 'bad'), /already in use/)
    await engine.lifecycle.remove('bad', { force: false, volumes: false, link: false })
    assert.equal(machine.shims.running.length, 1)
    await engine.create({}, 'bad')
  })

  it('is said of a container that cannot be recovered', async () => {
    const good = await engine.run()
    const bad = await engine.run()
    engine.kill()
    const connect = machine.shims.connect.bind(machine.shims)
    machine.shims.connect = async (directory) => {
      if (directory.endsWith(bad.slice(0, 32))) throw new Error('too many open files')
      return connect(directory)
    }
    engine = await TestEngine.start(machine)
    assert.equal(engine.status(good), 'running')
    assert.match(machine.log.join(''), /too many open files/)
    machine.shims.connect = connect
    await engine.lifecycle.remove(bad, { force: true, volumes: false, link: false })
    assert.equal(machine.shims.running.length, 1)
  })
})

describe('recover(): strays', () => {
  it('ends shims and removes snapshots that no row knows', async () => {
    const id = await engine.run()
    engine.kill()
    machine.db.run('DELETE FROM containers WHERE id = ?', [id])
    engine = await TestEngine.start(machine)
    assert.equal(machine.shims.running.length, 0)
    assert.deepEqual(await machine.snapshots.snapshots(), [])
    assert.deepEqual(await machine.directories.list('/run/berth/c'), [])
  })
})

async function* nothing(): AsyncGenerator<never> {
  // A shim that dies before it tells anything.
}
