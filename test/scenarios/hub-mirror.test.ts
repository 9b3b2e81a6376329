/** An office with a mirror of Docker Hub of its own: our registry as a cache, our engine with `registry-mirrors`. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { NODE, type Result, TestDaemon } from '#test/support/daemon.ts'
import { Hub } from '#test/support/hub/hub.ts'
import { GREETING, helloWorld } from '#test/support/hub/hub-images.ts'

const PROGRAM = join(import.meta.dirname, '../../src/bin/berth-registry.ts')
const MIRROR = '127.0.0.1:5000'

describe('a mirror of Docker Hub', () => {
  const stack = new AsyncDisposableStack()
  let hub: Hub
  let daemon: TestDaemon
  let mirror: ChildProcess
  before(async () => {
    hub = stack.use(await Hub.make({ 'library/hello-world': await helloWorld() }))
    const dress = (...argv: readonly string[]): readonly string[] => hub.dress(...argv)
    daemon = stack.use(await TestDaemon.start({ dress, args: ['--registry-mirror', `http://${MIRROR}`] }))
    await hub.open(daemon)
    mirror = await serveMirror()
    stack.defer(() => endMirror())
  })
  after(() => stack.disposeAsync())

  async function serveMirror(): Promise<ChildProcess> {
    const root = join(daemon.root, 'mirror')
    const options = ['--listen', MIRROR, '--root', root, '--mirror-of', 'https://registry-1.docker.io']
    const command = hub.dress(NODE, '--disable-warning=ExperimentalWarning', PROGRAM, 'serve', ...options)
    const child = spawn('nsenter', [`--net=/run/netns/${daemon.marks.netns}`, ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    for await (const line of createInterface(child.stdout)) if (line.includes(MIRROR)) break
    child.stdout.resume()
    return child
  }
  async function endMirror(): Promise<void> {
    if (mirror.exitCode !== null || mirror.signalCode !== null) return
    const ended = once(mirror, 'exit')
    mirror.kill()
    await ended
  }
  const runs = (): Result => {
    const ran = daemon.berth('run', '--rm', 'hello-world')
    assert.equal(ran.code, 0, ran.stderr)
    assert.match(ran.stdout, new RegExp(GREETING))
    return ran
  }

  it('is asked instead of it, and asks it once', async () => {
    await hub.requests()
    const { stderr } = runs()
    assert.match(
      stderr,
      /latest: Pulling from library\/hello-world\n[^]*Downloaded newer image for hello-world:latest\n/,
    )
    const asked = await hub.requests()
    assert.ok(asked.some(({ role }) => role === 'cdn'))
    assert.ok(asked.every(({ role, authorized }) => role !== 'cdn' || !authorized))
    daemon.berth('rmi', 'hello-world')
    runs()
    const again = await hub.requests()
    assert.deepEqual(
      again.filter(({ role, method }) => role === 'cdn' || (role === 'registry' && method === 'GET')),
      [],
    )
  })

  it('gives what it has when nothing is left of the limit', async () => {
    await hub.rules({ limit: 0 })
    daemon.berth('rmi', 'hello-world')
    runs()
  })

  it('is passed over when it is away', async () => {
    await hub.rules({ limit: 100 })
    daemon.berth('rmi', 'hello-world')
    await endMirror()
    await hub.requests()
    runs()
    assert.ok((await hub.requests()).some(({ role }) => role === 'cdn'))
  })
})
