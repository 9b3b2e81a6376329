import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'

let machine: FakeMachine
let engine: TestEngine

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
})
afterEach(() => machine[Symbol.dispose]())

const STUBBORN = { Cmd: ['stubborn'] }

describe('Lifecycle.start()', () => {
  it('runs the process and says so', async () => {
    const id = await engine.create()
    assert.equal(await engine.lifecycle.start(id), true)
    assert.equal(engine.pid(id), machine.shims.init(id).pid)
    assert.equal(await engine.lifecycle.start(id), false)
    assert.deepEqual(engine.takeEvents(), ['create', 'network connect', 'start'])
  })
})

describe('Lifecycle.stop()', () => {
  it('kills what has not ended when its time is over', async () => {
    const id = await engine.run(STUBBORN)
    engine.takeEvents()
    const stopping = engine.lifecycle.stop(id, { timeout: 3 })
    await engine.settled()
    await machine.clock.advance(2999)
    assert.equal(engine.status(id), 'running')
    await machine.clock.advance(1)
    assert.equal(await stopping, true)
    assert.deepEqual(engine.takeEvents(), ['kill 15', 'kill 9', 'die 137', 'network disconnect', 'stop'])
  })

  it('resumes a paused container so that the signal is handled', async () => {
    const id = await engine.run()
    await engine.lifecycle.pause(id)
    assert.equal(await engine.lifecycle.stop(id), true)
    assert.equal(engine.container(id).state.status, 'exited')
    assert.ok(engine.takeEvents().includes('die 143'))
  })

  it('kills at once when it is given no time', async () => {
    const id = await engine.run(STUBBORN)
    assert.equal(await engine.lifecycle.stop(id, { timeout: 0 }), true)
    assert.equal(engine.status(id), 'exited')
  })

  it('lets a kill through while it waits', async () => {
    const id = await engine.run(STUBBORN)
    const stopping = engine.lifecycle.stop(id, { timeout: -1 })
    await engine.settled()
    await engine.lifecycle.kill(id, 'KILL')
    assert.equal(await stopping, true)
    assert.equal(engine.status(id), 'exited')
  })

  it('lets a removal through while it waits', async () => {
    const id = await engine.run(STUBBORN)
    const stopping = engine.lifecycle.stop(id, { timeout: -1 })
    await engine.settled()
    await engine.lifecycle.remove(id, { force: true, volumes: false, link: false })
    assert.equal(await stopping, true)
    assert.equal(engine.status(id), 'gone')
  })

  it('kills a container that was paused while it waited', async () => {
    const id = await engine.run(STUBBORN)
    const stopping = engine.lifecycle.stop(id, { timeout: 5 })
    await engine.settled()
    await engine.lifecycle.pause(id)
    await machine.clock.advance(5000)
    assert.equal(await stopping, true)
    assert.equal(engine.status(id), 'exited')
  })

  it('says what is wrong when the process survives SIGKILL', async () => {
    const id = await engine.run(STUBBORN)
    machine.shims.init(id).freeze()
    const stopping = engine.lifecycle.stop(id, { timeout: 1 })
    stopping.catch(() => undefined)
    await engine.settled()
    await machine.clock.advance(1000)
    await machine.clock.advance(10_000)
    await assert.rejects(stopping, /did not receive an exit event/)
    // Nobody is kept out by it.
    const killing = engine.lifecycle.kill(id, 'TERM')
    machine.shims.init(id).thaw()
    await killing
    await engine.settled()
    assert.equal(engine.status(id), 'exited')
  })
})

describe('Lifecycle.kill()', () => {
  it('thaws a paused container when the signal means its end', async () => {
    for (const signal of ['KILL', 'TERM']) {
      const id = await engine.run()
      await engine.lifecycle.pause(id)
      await engine.lifecycle.kill(id, signal)
      await engine.settled()
      assert.equal(engine.status(id), 'exited', signal)
    }
  })

  it('leaves a paused container frozen when another signal ends it', async () => {
    const id = await engine.run({ StopSignal: 'SIGTERM' })
    await engine.lifecycle.pause(id)
    await engine.lifecycle.kill(id, 'HUP')
    await engine.settled()
    assert.equal(engine.status(id), 'paused')
  })

  it('refuses a container that does not run', async () => {
    const id = await engine.create({}, 'web')
    await assert.rejects(engine.lifecycle.kill('web', 'TERM'), {
      message: `cannot kill container: web: container ${id} is not running`,
    })
  })

  it('cancels a restart that is waited for, and tells who waits', async () => {
    const id = await engine.run({ HostConfig: { RestartPolicy: { Name: 'always' } } })
    machine.shims.init(id).end(3)
    await engine.settled()
    assert.equal(engine.status(id), 'restarting')
    const { result } = engine.lifecycle.wait(id, undefined)
    await engine.lifecycle.kill(id, 'TERM')
    assert.deepEqual(await result, { StatusCode: 3 })
    await machine.clock.advance(60_000)
    assert.equal(engine.status(id), 'exited')
  })
})

describe('Lifecycle.restart()', () => {
  it('keeps a container that is removed at its end', async () => {
    const id = await engine.run({ HostConfig: { AutoRemove: true } })
    const before = engine.pid(id)
    await engine.lifecycle.restart(id)
    await engine.settled()
    assert.equal(engine.status(id), 'running')
    assert.notEqual(engine.pid(id), before)
    machine.shims.init(id).end(0)
    await engine.settled()
    assert.equal(engine.status(id), 'gone')
  })

  it('starts one that never ran, which is removed at its end all the same', async () => {
    const id = await engine.create({ HostConfig: { AutoRemove: true } })
    await engine.lifecycle.restart(id)
    machine.shims.init(id).end(0)
    await engine.settled()
    assert.equal(engine.status(id), 'gone')
  })

  it('removes one with --rm that cannot be started again', async () => {
    const id = await engine.run({ HostConfig: { AutoRemove: true } })
    machine.directories.files.clear()
    const { bundles } = engine.parts
    const write = bundles.write.bind(bundles)
    Object.assign(bundles, { write: () => Promise.reject(new Error('no space')) })
    await assert.rejects(engine.lifecycle.restart(id), /no space/)
    Object.assign(bundles, { write })
    await engine.settled()
    assert.equal(engine.status(id), 'gone')
  })
})

describe('Lifecycle.wait()', () => {
  it('tells the exit code to whoever asked before the start', async () => {
    const id = await engine.create()
    const next = engine.lifecycle.wait(id, 'next-exit').result
    const removed = engine.lifecycle.wait(id, 'removed').result
    assert.deepEqual(await engine.lifecycle.wait(id, '').result, { StatusCode: 0 })
    await engine.lifecycle.start(id)
    machine.shims.init(id).end(7)
    assert.deepEqual(await next, { StatusCode: 7 })
    await engine.lifecycle.remove(id, { force: false, volumes: false, link: false })
    assert.deepEqual(await removed, { StatusCode: 7 })
  })

  it('ends when a restart by policy fails', async () => {
    const id = await engine.run({ HostConfig: { RestartPolicy: { Name: 'always' } } })
    machine.shims.init(id).end(3)
    await engine.settled()
    const { result } = engine.lifecycle.wait(id, undefined)
    const { bundles } = engine.parts
    Object.assign(bundles, { write: () => Promise.reject(new Error('no space')) })
    await machine.clock.advance(100)
    await engine.settled()
    assert.equal(engine.status(id), 'exited')
    assert.equal((await result).StatusCode, 128)
  })

  it('refuses a condition that is none', async () => {
    const id = await engine.create()
    assert.throws(() => engine.lifecycle.wait(id, 'soon'), /invalid condition: "soon"/)
  })

  it('forgets whoever leaves', async () => {
    const id = await engine.run()
    const leaving = new AbortController()
    const { result } = engine.lifecycle.wait(id, 'next-exit', { signal: leaving.signal })
    leaving.abort(new Error('left'))
    await assert.rejects(result, /left/)
  })
})

describe('Lifecycle.rename()', () => {
  it('finds the container under the new name alone', async () => {
    const id = await engine.create({}, 'old')
    await engine.lifecycle.rename('old', 'new')
    assert.equal(engine.container('/new').id, id)
    assert.throws(
      () => engine.container('old'),
      (error) => isKind(error, 'not_found'),
    )
    await engine.create({}, 'old')
  })
})
