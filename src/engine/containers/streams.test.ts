import assert from 'node:assert/strict'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'

let machine: FakeMachine
let engine: TestEngine

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
})
afterEach(() => machine[Symbol.dispose]())

const ALL = { stdin: true, stdout: true, stderr: true, stream: true, logs: false, detachKeys: undefined }

describe('Streams.attach()', () => {
  it('shows everything to a client that attached before the start', async () => {
    const id = await engine.create({ Cmd: ['echo', 'hello'], Tty: true })
    const { stream, tty } = await engine.streams.attach(id, ALL)
    assert.equal(tty, true)
    await engine.lifecycle.start(id)
    assert.equal(await text(stream), 'hello\n')
  })

  it('gives input to the process and its end to one with StdinOnce', async () => {
    const id = await engine.create({ Cmd: ['cat'], OpenStdin: true, StdinOnce: true })
    const { stream } = await engine.streams.attach(id, ALL)
    stream.end('through')
    await engine.lifecycle.start(id)
    assert.match(await text(stream), /through$/)
    await engine.settled()
    assert.equal(engine.status(id), 'exited')
  })

  it('ends for a client that waits when the container is removed', async () => {
    const id = await engine.create()
    const { stream } = await engine.streams.attach(id, ALL)
    await engine.lifecycle.remove(id, { force: false, volumes: false, link: false })
    assert.equal(await text(stream), '')
  })

  it('ends for clients that wait when the container cannot be started', async () => {
    const id = await engine.create({ Cmd: ['nosuch'] })
    const streams = await Promise.all([1, 2].map(() => engine.streams.attach(id, ALL)))
    await assert.rejects(engine.lifecycle.start(id), /not found/)
    assert.deepEqual(await Promise.all(streams.map(({ stream }) => text(stream))), ['', ''])
  })

  it('ends for those who still wait when one of them cannot be connected', async () => {
    const id = await engine.create()
    const streams = await Promise.all([1, 2].map(() => engine.streams.attach(id, ALL)))
    const spawn = machine.shims.spawn.bind(machine.shims)
    machine.shims.spawn = async (directory, config) => {
      machine.shims.spawn = spawn
      return Object.assign(await spawn(directory, config), {
        attach: () => Promise.reject(new Error('too many open files')),
      })
    }
    await assert.rejects(engine.lifecycle.start(id), /too many/)
    assert.deepEqual(await Promise.all(streams.map(({ stream }) => text(stream))), ['', ''])
  })

  it('forgets a client that left before the start', async () => {
    const id = await engine.create({ Cmd: ['echo', 'hello'], Tty: true })
    const { stream } = await engine.streams.attach(id, ALL)
    stream.destroy()
    await once(stream, 'close')
    const { stream: other } = await engine.streams.attach(id, ALL)
    await engine.lifecycle.start(id)
    assert.equal(await text(other), 'hello\n')
  })

  it('refuses a container that is paused or between two lives', async () => {
    const id = await engine.run({ HostConfig: { RestartPolicy: { Name: 'always' } } }, 'web')
    await engine.lifecycle.pause(id)
    const paused = `container ${id} is paused, unpause the container before attach`
    await assert.rejects(engine.streams.attach(id, ALL), { message: paused })
    await engine.lifecycle.unpause(id)
    machine.shims.init(id).end(1)
    await engine.settled()
    const restarting = `container ${id} is restarting, wait until the container is running`
    await assert.rejects(engine.streams.attach(id, ALL), { message: restarting })
  })

  it('is cut off when the daemon ends', async () => {
    const id = await engine.create()
    const { stream } = await engine.streams.attach(id, ALL)
    const failed = once(stream, 'error')
    await engine.close()
    assert.match(String(await failed), /daemon ends/)
  })
})
