/** The registry as a process: everything the distribution-spec asks of it, and being killed at bad moments. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { type ClientRequest, request as httpRequest } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { digestOf } from '#base/digest.ts'
import { silentLogger } from '#base/logger.ts'
import { registryConfig } from '#registry/server/config.ts'
import { distributionSuite, type RegistryUnderTest, TestClient } from '#registry/server/distribution.suite.ts'
import { openRegistry } from '#registry/server/registry.ts'
import { NODE } from '#test/support/daemon.ts'
import { RegistryProcess } from '#test/support/registry-process.ts'
import { Terminal } from '#test/support/terminal.ts'

/** All of its rooms in this process, on disk. */
async function openOnDisk(): Promise<RegistryUnderTest> {
  const root = await mkdtemp(join(tmpdir(), 'berth-registry-'))
  const config = registryConfig({ listen: '127.0.0.1:0', root })
  const registry = await openRegistry(config, { logger: silentLogger })
  return {
    url: registry.url,
    [Symbol.asyncDispose]: async () => {
      await registry[Symbol.asyncDispose]()
      await rm(root, { recursive: true })
    },
  }
}

distributionSuite('a registry on disk', openOnDisk)

/** Begins to send a chunk that never ends. */
async function sendPart(registry: RegistryProcess, location: string, part: Buffer): Promise<ClientRequest> {
  const sending = httpRequest(new URL(location, registry.url), {
    method: 'PATCH',
    headers: { 'Transfer-Encoding': 'chunked' },
  })
  // It is going to be cut off.
  sending.on('error', () => undefined)
  if (!sending.write(part)) await once(sending, 'drain')
  return sending
}

/** Resolves when an upload has that many bytes on disk. */
async function received(registry: RegistryProcess, size: number): Promise<void> {
  const directory = join(registry.root, 'uploads')
  const deadline = AbortSignal.timeout(10_000)
  while (!readdirSync(directory).some((name) => statSync(join(directory, name)).size >= size)) {
    await delay(5, undefined, { signal: deadline })
  }
}

async function listed(client: TestClient, name: string): Promise<readonly string[]> {
  const response = await client.fetch(`/v2/${name}/tags/list`)
  if (response.status === 404) return []
  return ((await response.json()) as { readonly tags: readonly string[] }).tags
}

interface Document {
  readonly config: { readonly digest: string }
  readonly layers: readonly { readonly digest: string }[]
}

/** Every tag leads to a manifest, and that to blobs which hash to their names. */
async function assertWhole(client: TestClient, name: string): Promise<readonly string[]> {
  const tags = await listed(client, name)
  for (const tag of tags) {
    const response = await client.fetch(`/v2/${name}/manifests/${tag}`)
    assert.equal(response.status, 200, tag)
    const { config, layers } = (await response.json()) as Document
    for (const { digest } of [config, ...layers]) {
      const blob = await client.fetch(`/v2/${name}/blobs/${digest}`)
      assert.equal(blob.status, 200, `${tag}: ${digest}`)
      assert.equal(digestOf(await blob.bytes()), digest)
    }
  }
  return tags
}

describe('berth-registry serve, when it is killed', () => {
  it('goes on with an upload that was cut in its middle', async () => {
    await using registry = await RegistryProcess.start()
    const client = new TestClient(registry.url)
    const bytes = randomBytes(6 << 20)
    const digest = digestOf(bytes)
    const location = await client.begin('a')
    await sendPart(registry, location, bytes.subarray(0, 4 << 20))
    await received(registry, 2 << 20)
    await registry.down('SIGKILL')
    await registry.up()

    const again = new TestClient(registry.url)
    assert.equal((await again.fetch(`/v2/a/blobs/${digest}`)).status, 404)
    const status = await again.fetch(location)
    assert.equal(status.status, 204)
    const next = Number(/^0-(\d+)$/.exec(status.headers.get('range') ?? '')?.[1]) + 1
    assert.ok(next >= 2 << 20 && next <= 4 << 20, `goes on at ${next}`)
    const rest = await again.fetch(location, {
      method: 'PATCH',
      body: Buffer.from(bytes.subarray(next)),
      headers: { 'Content-Range': `${next}-${bytes.length - 1}` },
    })
    assert.equal(rest.status, 202)
    assert.equal((await again.fetch(`${location}?digest=${digest}`, { method: 'PUT' })).status, 201)
    assert.equal(digestOf(await (await again.fetch(`/v2/a/blobs/${digest}`)).bytes()), digest)
    assert.deepEqual(readdirSync(join(registry.root, 'uploads')), [])
  })

  it('has everything it acknowledged, and nothing half, whenever it is killed', async () => {
    await using registry = await RegistryProcess.start()
    const acknowledged = new Set<string>()
    for (const round of [1, 2, 3, 4]) {
      const client = new TestClient(registry.url)
      const push = async (worker: number): Promise<void> => {
        for (let i = 0; ; i++) {
          const tag = `r${round}-w${worker}-${i}`
          await client.putImage('a/b', tag)
          acknowledged.add(tag)
          if (acknowledged.size === round * 6) process.kill(registry.pid, 'SIGKILL')
        }
      }
      // Each of them ends when the registry is gone.
      await Promise.allSettled([push(1), push(2), push(3)])
      await registry.down('SIGKILL')
      await registry.up()
      const tags = await assertWhole(new TestClient(registry.url), 'a/b')
      for (const tag of acknowledged) assert.ok(tags.includes(tag), `lost ${tag}`)
    }
  })

  it('serves a directory alone', async () => {
    await using registry = await RegistryProcess.start()
    await assert.rejects(RegistryProcess.start(['--root', registry.root]), /another registry serves/)
  })

  it('ends on SIGTERM when requests have ended', async () => {
    await using registry = await RegistryProcess.start()
    const client = new TestClient(registry.url)
    const location = await client.begin('a')
    const sending = await sendPart(registry, location, randomBytes(2 << 20))
    await received(registry, 1 << 20)
    const down = registry.down()
    sending.end()
    const [response] = (await once(sending, 'response')) as [{ readonly statusCode: number }]
    assert.equal(response.statusCode, 202)
    assert.equal(await down, 0)
  })

  it('ends when the terminal that it was started in is closed', async () => {
    const root = await mkdtemp(join(tmpdir(), 'berth-registry-'))
    const program = join(import.meta.dirname, '../../src/bin/berth-registry.ts')
    const argv = [NODE, program, 'serve', '--listen', '127.0.0.1:0', '--root', root]
    let pid = 0
    {
      await using terminal = new Terminal([
        'sh',
        '-c',
        'exec 3<&0; "$@" <&3 & echo pid=$!; wait',
        'sh',
        ...argv,
      ])
      pid = Number((await terminal.expect(/pid=(\d+)\r\n/))[1])
      await terminal.expect(/Registry at http:/)
    }
    // Not asked over HTTP: what that would write to the terminal would end it, too.
    for (let tries = 0; existsSync(`/proc/${pid}`) && tries < 200; tries++) await delay(25)
    const survives = existsSync(`/proc/${pid}`)
    if (survives) process.kill(pid, 'SIGKILL')
    assert.equal(survives, false)
    await rm(root, { recursive: true })
  })
})
