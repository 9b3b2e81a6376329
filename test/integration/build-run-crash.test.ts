/** Whoever runs steps of builds is killed at any moment; the next daemon leaves nothing of them. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { NODE, TestDaemon } from '#test/support/daemon.ts'
import { observe } from '#test/support/leak-check.ts'

const PROGRAM = join(import.meta.dirname, '../support/build-step-process.ts')

let daemon: TestDaemon

before(async () => {
  daemon = await TestDaemon.start()
})
after(() => daemon[Symbol.asyncDispose]())

/** Begins `count` steps in place of the daemon. */
function steps(count: number): ChildProcess {
  const { marks } = daemon
  const command = [`--net=/run/netns/${marks.netns}`, NODE, PROGRAM, JSON.stringify(marks), String(count)]
  return spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function said({ stdout }: ChildProcess, word: string, times: number): Promise<void> {
  assert.ok(stdout !== null)
  let seen = 0
  for await (const line of createInterface({ input: stdout })) if (line === word && ++seen === times) return
  assert.fail(`ended before it said ${word}`)
}

it('a daemon that is killed while steps run leaves nothing that the next one does not remove', async () => {
  await daemon.down()
  const child = steps(3)
  await said(child, 'up', 3)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const world = observe(daemon.marks)
  assert.equal(world.shims, 3, 'they go on by themselves')
  assert.equal(world.snapshots.length, 6)

  await daemon.up()
  await daemon.assertNoLeaks()
  assert.equal((await readdir(join(daemon.marks.dataRoot, 'build/cache-mounts'))).length, 1, 'a cache stays')
  const { Containers } = (await daemon.call('GET', '/info')).json<{ Containers: number }>()
  assert.equal(Containers, 0)
})

it('nor when it is killed at some moment before', async () => {
  for (const moment of [0, 15, 30, 60]) {
    await daemon.down()
    const child = steps(2)
    await said(child, 'open', 1)
    await delay(moment)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await daemon.up()
    await daemon.assertNoLeaks()
  }
})
