import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeClock } from '#base/fake-clock.ts'
import { engineErrorOf } from '#base/errors.ts'
import { silentLogger } from '#base/logger.ts'
import type { StartedContainer } from '#runtime/oci-runtime.ts'
import { FakeShims } from '#runtime/fake-shims.ts'
import type { ShimConfig, Shims } from '#runtime/shim.ts'
import { StepProcess } from './step-process.ts'
import { runStep } from './step.fixture.ts'

const NEVER = new AbortController().signal

function world(...args: readonly string[]) {
  const shims = new FakeShims({ read: async () => JSON.stringify({ process: { args } }) })
  const ended: string[] = []
  const clock = new FakeClock()
  const deps = {
    shims: shims as Shims,
    helper: { kill: async () => true },
    remains: {
      end: async ({ id }: StartedContainer, { CgroupParent }: { CgroupParent?: string | undefined } = {}) =>
        void ended.push(`${CgroupParent} ${id}`),
    },
    clock,
    logger: silentLogger,
  }
  const config = {
    id: 'step',
    bundle: '/b',
    tty: false,
    stdinOnce: false,
    exitRecord: '/b/exit',
  } as ShimConfig
  return {
    shims,
    ended,
    clock,
    spawn: () => StepProcess.spawn('/b', config, runStep({ args, limits: { cgroupParent: '/mine' } }), deps),
  }
}

describe('StepProcess', () => {
  it('tells what is written, and how it ended', async () => {
    const { shims, spawn } = world('echo', 'some', 'words')
    const output: string[] = []
    {
      await using process = await spawn()
      await process.ready(NEVER)
      const end = await process.run(
        (stream, data) => output.push(`${stream} ${Buffer.from(data).toString()}`),
        NEVER,
      )
      assert.equal(end.code, 0)
    }
    assert.deepEqual(output, ['1 some words\n'])
    assert.deepEqual(shims.supervising, [])
  })

  it('is an error of the request when there is no such program', async () => {
    const { spawn } = world('nosuch')
    await using process = await spawn()
    await assert.rejects(
      process.run(() => undefined, NEVER),
      (error) => {
        const failure = engineErrorOf(error)
        assert.equal(
          failure?.message,
          'process "nosuch" did not complete successfully: unable to start container process: exec: "nosuch": executable file not found in $PATH',
        )
        assert.deepEqual([failure.code, failure.details], ['BUILD_RUN_FAILED', { exitCode: 127 }])
        return true
      },
    )
  })

  it('is killed, even when it does not want to, as soon as the build is cancelled', async () => {
    const { shims, spawn } = world('stubborn')
    const leaving = new AbortController()
    {
      await using process = await spawn()
      const running = process.run(() => undefined, leaving.signal)
      while (shims.running.length === 0) await new Promise((resolve) => setImmediate(resolve))
      leaving.abort(new Error('left'))
      await assert.rejects(running, /left/)
      assert.equal(shims.running.length, 1)
    }
    assert.deepEqual([shims.running, shims.supervising], [[], []])
  })

  it('that was not begun leaves nothing', async () => {
    const { shims, spawn } = world('sleep')
    {
      await using _process = await spawn()
    }
    assert.deepEqual([shims.running, shims.supervising], [[], []])
  })

  it('that has lost its supervisor is ended, and said to be lost', async () => {
    const { shims, ended, spawn } = world('sleep')
    await using process = await spawn()
    const running = process.run(() => undefined, NEVER)
    while (shims.running.length === 0) await new Promise((resolve) => setImmediate(resolve))
    shims.init('step').orphan()
    await assert.rejects(running, /"sleep" did not complete successfully: its supervisor was killed/)
    assert.deepEqual(ended, ['/mine step'])
  })
})
