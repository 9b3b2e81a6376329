/**
 * RUN on the real kernel. The file runs itself again in a network namespace of its own; after each test nothing may be left of
 * its steps.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { engineErrorOf } from '#base/errors.ts'
import { BuildSteps, marksBelow } from '#test/support/build-steps.ts'
import { NODE } from '#test/support/daemon.ts'
import { type Marks, type Model, assertNoLeaks } from '#test/support/leak-check.ts'

const given = process.env['BERTH_TEST_MARKS']
if (given === undefined) {
  it('RUN works in a network namespace of its own', { timeout: 300_000 }, inNamespace)
} else {
  describe('RUN', () => suite(JSON.parse(given) as Marks))
}

async function inNamespace(): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'berth-run-'))
  const marks = marksBelow(root, `berth-t-run-${process.pid}`)
  execFileSync('ip', ['netns', 'add', marks.netns])
  try {
    const { NODE_TEST_CONTEXT: _context, ...env } = process.env
    const command = [`--net=/run/netns/${marks.netns}`, NODE, '--test-reporter=spec', import.meta.filename]
    const child = spawn('nsenter', command, {
      env: { ...env, BERTH_TEST_MARKS: JSON.stringify(marks) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(code, 0, output)
  } finally {
    execFileSync('ip', ['netns', 'delete', marks.netns])
    await rm(root, { recursive: true, force: true })
  }
}

const NOTHING: Model = {
  running: [],
  containers: [],
  volumes: [],
  ports: 0,
  endpoints: 0,
  bridges: ['berth0'],
  parents: [],
}

function suite(marks: Marks): void {
  let world: BuildSteps

  before(async () => {
    execFileSync('ip', ['link', 'set', 'lo', 'up'])
    world = await BuildSteps.open(marks)
  })
  after(() => world[Symbol.asyncDispose]())
  afterEach(async () => {
    await assertNoLeaks(marks, async () => NOTHING)
    assert.equal(world.networks.leases(world.networks.bridge.id).size, 0)
    assert.equal(world.steps.running.size, 0)
  })

  it('gives what the process writes, and what it has changed as a layer', async () => {
    const ran = await world.run({
      args: 'echo out; echo err >&2; echo hello > /greeting; chmod 0640 /greeting',
    })
    assert.equal(ran.out, 'out\n')
    assert.equal(ran.err, 'err\n')
    assert.deepEqual(await world.listing(ran.layer), ['file 0640 0:0 greeting'])
  })

  it('makes no layer when nothing has changed', async () => {
    assert.equal(
      (await world.run({ args: 'cat /etc/hosts /etc/resolv.conf /etc/hostname; true' })).layer,
      undefined,
    )
  })

  it('fails with the exit code, in the words of BuildKit', async () => {
    await assert.rejects(world.run({ args: 'exit 3' }), (error) => {
      const failure = engineErrorOf(error)
      assert.equal(
        failure?.message,
        'process "/bin/sh -c exit 3" did not complete successfully: exit code: 3',
      )
      assert.equal(failure.code, 'BUILD_RUN_FAILED')
      assert.equal(failure.details['exitCode'], 3)
      return true
    })
  })
}
