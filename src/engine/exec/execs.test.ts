import assert from 'node:assert/strict'
import { buffer, text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'

let machine: FakeMachine
let engine: TestEngine

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
})
afterEach(() => machine[Symbol.dispose]())

const ATTACHED = { AttachStdout: true, AttachStderr: true }
const DETACH = { detach: true, tty: false }
const STAY = { detach: false, tty: false }

interface Shown {
  readonly Running: boolean
  readonly ExitCode: number | null
  readonly Pid: number
}

function shown(id: string): Shown {
  const { Running, ExitCode, Pid } = engine.execs.inspect(id) as Shown
  return { Running, ExitCode, Pid }
}

async function exec(container: string, ...Cmd: readonly string[]): Promise<string> {
  const { Id } = await engine.execs.create(container, { Cmd, ...ATTACHED })
  return Id
}

describe('Execs.create()', () => {
  it('checks the command, then the container', async () => {
    await assert.rejects(engine.execs.create('nobody', {}), { message: 'No exec command specified' })
    await assert.rejects(exec('nobody', 'true'), { message: 'No such container: nobody' })
    const id = await engine.create()
    await assert.rejects(exec(id, 'true'), { message: `container ${id} is not running` })
    await engine.lifecycle.start(id)
    await engine.lifecycle.pause(id)
    const asked = id.slice(0, 12)
    await assert.rejects(exec(asked, 'true'), {
      message: `Container ${asked} is paused, unpause the container before exec`,
    })
  })

  it('keeps a thousand, and every one that runs', async () => {
    const id = await engine.run()
    const running = await exec(id, 'sleep')
    await engine.execs.start(running, DETACH)
    const first = await exec(id, 'true')
    for (let i = 0; i < 1000; i++) await exec(id, 'true')
    assert.throws(() => engine.execs.inspect(first), { message: `No such exec instance: ${first}` })
    assert.equal(shown(running).Running, true)
  })
})

describe('Execs.start()', () => {
  it('does not know what was made for another life of the container', async () => {
    const id = await engine.run()
    const exec1 = await exec(id, 'true')
    const unknown = { message: `No such exec instance: ${exec1}` }
    machine.shims.init(id).end(0)
    await engine.settled()
    await assert.rejects(engine.execs.start(exec1, DETACH), unknown)
    await engine.lifecycle.start(id)
    await assert.rejects(engine.execs.start(exec1, DETACH), unknown)
  })

  it('gives output and keeps the exit code', async () => {
    const id = await engine.run()
    const exec1 = await exec(id, 'echo', 'hello')
    assert.deepEqual(shown(exec1), { Running: false, ExitCode: null, Pid: 0 })
    const attached = await engine.execs.start(exec1, STAY)
    assert.ok(attached)
    assert.match(await text(attached.stream), /hello\n$/)
    await engine.settled()
    assert.deepEqual(shown(exec1), { Running: false, ExitCode: 0, Pid: 1003 })
    assert.deepEqual(engine.takeEvents().slice(-3), [
      'exec_create: echo hello',
      'exec_start: echo hello',
      'exec_die 0',
    ])
    assert.equal([...machine.directories.files.keys()].filter((file) => file.includes('/exec/')).length, 0)
  })

  it('refuses in order: unknown, not running, run already', async () => {
    await assert.rejects(engine.execs.start('nobody', DETACH), { message: 'No such exec instance: nobody' })
    const id = await engine.run()
    const done = await exec(id, 'true')
    const busy = await exec(id, 'sleep')
    await engine.execs.start(busy, DETACH)
    await assert.rejects(engine.execs.start(busy, DETACH), {
      message: `exec command ${busy} is already running`,
    })
    await engine.execs.start(done, DETACH)
    await engine.settled()
    await assert.rejects(engine.execs.start(done, DETACH), {
      message: `exec command ${done} has already run`,
    })
    await engine.lifecycle.pause(id)
    await assert.rejects(engine.execs.start(done, DETACH), /is paused/)
    await engine.lifecycle.kill(id, 'KILL')
    await assert.rejects(engine.execs.start(done, DETACH), { message: `container ${id} is not running` })
  })

  it('tells who stays, in the stream, that it has begun already', async () => {
    const id = await engine.run()
    const busy = await exec(id, 'sleep')
    await engine.execs.start(busy, DETACH)
    const again = await engine.execs.start(busy, STAY)
    assert.ok(again)
    assert.equal(
      (await buffer(again.stream)).subarray(8).toString(),
      `exec command ${busy} is already running\r\n`,
    )
    const raw = await engine.execs.start(busy, { ...STAY, tty: true })
    assert.ok(raw?.tty)
    assert.equal(await text(raw.stream), `exec command ${busy} is already running\r\n`)
    assert.equal(shown(busy).Running, true)
  })

  it('puts frames around output, or not, as the start says', async () => {
    const id = await engine.run()
    for (const Tty of [false, true]) {
      for (const tty of [false, true]) {
        const { Id } = await engine.execs.create(id, { Cmd: ['echo', 'hi'], Tty, AttachStdout: true })
        const started = await engine.execs.start(Id, { detach: false, tty })
        assert.ok(started)
        assert.equal(started.tty, tty)
        const expected = tty ? 'hi\n' : '\u0001\0\0\0\0\0\0\u0003hi\n'
        assert.equal(await text(started.stream), expected, `${Tty} ${tty}`)
      }
    }
  })

  it('tells in the stream why a command could not be started', async () => {
    const id = await engine.run()
    const attached = await exec(id, 'nosuch')
    const started = await engine.execs.start(attached, STAY)
    assert.ok(started)
    assert.match(
      await text(started.stream),
      /OCI runtime exec failed: exec failed: .*"nosuch": executable file not found in \$PATH: unknown\r\n$/,
    )
    assert.equal(shown(attached).ExitCode, 127)
    const detached = await exec(id, 'nosuch')
    await assert.rejects(engine.execs.start(detached, DETACH), /not found/)
    assert.equal(shown(detached).ExitCode, 127)
  })

  it('says that the container does not run when it ended a moment ago', async () => {
    const id = await engine.run()
    const late = await exec(id, 'true')
    const tell = machine.shims.init(id).endUntold(0)
    const starting = engine.execs.start(late, DETACH)
    setImmediate(tell)
    await assert.rejects(starting, { message: `container ${id} is not running` })
    await engine.settled()
    assert.equal(shown(late).Running, false)
  })

  it('runs once although two ask at the same time', async () => {
    const id = await engine.run()
    const one = await exec(id, 'sleep')
    const results = await Promise.allSettled([
      engine.execs.start(one, DETACH),
      engine.execs.start(one, DETACH),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    )
  })

  it('keeps the code of an exec that ended just before its container', async () => {
    const id = await engine.run()
    const one = await exec(id, 'false')
    await engine.execs.start(one, DETACH)
    machine.shims.init(id).end(0)
    await engine.settled()
    assert.equal(await engine.execs.exitCode(one), 1)
    assert.equal(shown(one).ExitCode, 1)
  })

  it('ends with its container, or with the shim', async () => {
    for (const end of ['end', 'orphan'] as const) {
      const id = await engine.run()
      const one = await exec(id, 'sleep')
      await engine.execs.start(one, DETACH)
      machine.shims.init(id)[end](0)
      await engine.settled()
      const { Running, ExitCode } = shown(one)
      assert.deepEqual([Running, ExitCode], [false, 137])
    }
  })
})

describe('Execs.forget()', () => {
  it('goes with the container', async () => {
    const id = await engine.run()
    const one = await exec(id, 'true')
    await engine.lifecycle.remove(id, { force: true, volumes: false, link: false })
    assert.throws(() => engine.execs.inspect(one), /No such exec instance/)
  })
})

describe('Execs.signal()', () => {
  it('reaches what runs, and refuses what does not', async () => {
    const container = await engine.run()
    const id = await exec(container, 'sleep')
    const refused = { kind: 'conflict', message: `exec ${id} is not running` }
    await assert.rejects(engine.execs.signal(id, 15), refused)
    await engine.execs.start(id, DETACH)
    await engine.execs.signal(id, 9)
    assert.equal(await engine.execs.exitCode(id), 137)
    await assert.rejects(engine.execs.signal(id, 9), refused)
    await assert.rejects(engine.execs.signal('nope', 9), { message: 'No such exec instance: nope' })
  })
})
