import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Digest } from '#base/digest.ts'
import { silentLogger } from '#base/logger.ts'
import type { RegistryClient, Repository } from '#registry/client/repository.ts'
import type { LayerBlobRow } from '#store/images.ts'
import { chunks } from '#test/support/images.ts'
import { RegistryLayers } from './registry-layers.ts'

const diffId: Digest = `sha256:${'1'.repeat(64)}`
const blobIn = (repository: string): LayerBlobRow => ({
  diffId,
  repository,
  digest: `sha256:${'2'.repeat(64)}`,
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  size: 10,
})

function clientWith(
  blobs: Readonly<Record<string, () => AsyncIterable<Uint8Array>>>,
): Pick<RegistryClient, 'repository'> {
  return {
    repository: ({ domain, path }, { credentials } = {}) =>
      ({
        blob: async () => {
          const who = credentials?.username === undefined ? '' : `${credentials.username}@`
          const bytes = blobs[`${who}${domain}/${path}`]
          if (bytes === undefined) throw new Error('no such blob')
          return { offset: 0, chunks: bytes() }
        },
      }) as unknown as Repository,
  }
}

describe('RegistryLayers.fetch()', () => {
  it('gives the plain bytes from the first registry that has the layer', async () => {
    const client = clientWith({ 'docker.io/library/x': () => chunks(gzipSync('plain')) })
    const layers = new RegistryLayers(client, silentLogger)
    const blobs = [blobIn('gone:5000/x'), blobIn('docker.io/library/x')]
    const bytes = await Array.fromAsync(layers.fetch(diffId, { blobs }))
    assert.equal(Buffer.concat(bytes).toString(), 'plain')
  })

  it('asks every registry as whom it knows, and others anonymously', async () => {
    const auths = new Map([
      ['https://index.docker.io/v1/', { username: 'ann' }],
      ['own:5000', { username: 'bob' }],
    ])
    for (const [repository, asked] of [
      ['docker.io/library/x', 'ann@docker.io/library/x'],
      ['own:5000/x', 'bob@own:5000/x'],
      ['own:50/x', 'own:50/x'],
      ['docker.io.evil.com/x', 'docker.io.evil.com/x'],
    ] as const) {
      const client = clientWith({ [asked]: () => chunks(gzipSync('plain')) })
      const layers = new RegistryLayers(client, silentLogger)
      await Array.fromAsync(layers.fetch(diffId, { blobs: [blobIn(repository)], auths }))
    }
  })

  it('says what the last one said', async () => {
    const layers = new RegistryLayers(clientWith({}), silentLogger)
    await assert.rejects(
      Array.fromAsync(layers.fetch(diffId, { blobs: [blobIn('gone:5000/x')] })),
      /no such blob/,
    )
  })

  it('does not begin anew elsewhere when it has begun', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half of it')
      throw new Error('cut')
    }
    const client = clientWith({ 'a.example/x': broken, 'b.example/x': () => chunks('whole') })
    const layers = new RegistryLayers(client, silentLogger)
    const blobs = [blobIn('a.example/x'), blobIn('b.example/x')]
    await assert.rejects(Array.fromAsync(layers.fetch(diffId, { blobs })), /cut/)
  })
})
