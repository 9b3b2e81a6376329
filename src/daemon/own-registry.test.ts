import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import { readConfig } from './config.ts'
import { openOwnRegistry } from './own-registry.ts'

it('openOwnRegistry() names the setting when it cannot listen, or must not', async () => {
  const dataRoot = await mkdtemp(join(tmpdir(), 'berth-own-registry-'))
  await using _root = { [Symbol.asyncDispose]: () => rm(dataRoot, { recursive: true }) }
  const other = createServer().listen(0, '127.0.0.1')
  using _other = { [Symbol.dispose]: () => other.close() }
  await once(other, 'listening')
  const open = (listen: string) => {
    const { config } = readConfig(['--data-root', dataRoot, '--registry-listen', listen])
    return openOwnRegistry(config, silentLogger)
  }
  const { port } = other.address() as AddressInfo
  await assert.rejects(
    open(`127.0.0.1:${port}`),
    /setting "registry" \(--registry-listen\): cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
  )
  await assert.rejects(open('0.0.0.0:0'), /setting "registry" \(--registry-listen\): /)
  await using registry = await open('127.0.0.1:0')
  assert.equal(registry?.root, join(dataRoot, 'registry'))
})
