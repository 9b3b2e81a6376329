/** Archives made to hurt: each is refused with one clear error, in bounded time and memory, and leaves nothing behind. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { digestOf } from '#base/digest.ts'
import { isKind, type ErrorKind } from '#base/errors.ts'
import { archive, file } from '#test/fixtures/archives/archive.ts'
import { chunks, imagesForTest } from '#test/support/images.ts'
import type { ProgressMessage } from '../services.ts'
import { ImageArchive } from './image-archive.ts'
import { ImageCreation } from './image-creation.ts'
import { encodeJson } from './manifest.ts'

function hostile(expansion = { unquestioned: 1 << 20, ratio: 10 }) {
  const images = imagesForTest({ expansion })
  const archives = new ImageArchive(images.store)
  const creation = new ImageCreation(images.store)
  const nothingLeft = async (): Promise<void> => {
    assert.deepEqual(await images.stored(), { layers: [], blobs: 0 })
    assert.deepEqual(images.store.rows.list(), [])
  }
  const refused = async (
    messages: AsyncIterable<ProgressMessage>,
    kind: ErrorKind,
    pattern: RegExp,
  ): Promise<void> => {
    await assert.rejects(Array.fromAsync(messages), (error) => {
      assert.ok(isKind(error, kind), String(error))
      assert.match((error as Error).message, pattern)
      return true
    })
    await nothingLeft()
  }
  return {
    ...images,
    refused,
    load: (bytes: Uint8Array) => archives.load(chunks(bytes), { quiet: true }),
    import: (bytes: Uint8Array) => creation.import(chunks(bytes), { message: '', changes: [] }),
  }
}

const zeros = archive(file('zeros', Buffer.alloc(8 << 20)))
const TOO_LARGE = /archive becomes more than \d+ bytes when decompressed/

describe('a zip bomb', () => {
  for (const [name, bomb] of [
    ['gzip', gzipSync(zeros)],
    ['zstd', zstdCompressSync(zeros)],
  ] as const) {
    it(`of ${name} is not imported`, async () => {
      const { refused, ...images } = hostile()
      await refused(images.import(bomb), 'resource_exhausted', TOO_LARGE)
    })

    it(`of ${name} is not loaded as a layer`, async () => {
      const { refused, ...images } = hostile()
      await refused(images.load(archive(file('layer.tar', bomb))), 'resource_exhausted', TOO_LARGE)
    })

    it(`of ${name} within gzip is measured as a whole`, async () => {
      const { refused, ...images } = hostile()
      const nested = gzipSync(archive(...[1, 2, 3, 4].map((i) => file(`${i}/layer.tar`, bomb))))
      await refused(images.load(nested), 'resource_exhausted', TOO_LARGE)
    })
  }

  it('is not what compresses well and stays small', async () => {
    const images = hostile({ unquestioned: 16 << 20, ratio: 10 })
    await Array.fromAsync(images.import(gzipSync(zeros)))
    assert.equal(images.store.rows.list().length, 1)
  })
})

describe('CVE-2023-25153: huge documents', () => {
  it('an index.json of more than 4 MiB is refused', async () => {
    const { refused, ...images } = hostile()
    const index = `{"schemaVersion":2,"manifests":[],"x":"${'a'.repeat(5 << 20)}"}`
    const layout = archive(file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'), file('index.json', index))
    await refused(images.load(layout), 'invalid_argument', /index.json|index:/)
  })

  it('a manifest.json of more than 4 MiB is refused', async () => {
    const { refused, ...images } = hostile()
    const manifest = `[{"Config":"${'a'.repeat(5 << 20)}"}]`
    await refused(images.load(archive(file('manifest.json', manifest))), 'invalid_argument', /manifest.json/)
  })

  it('documents are not gathered without end', async () => {
    const { refused, ...images } = hostile()
    const half = `{"x":"${'a'.repeat(6 << 20)}"}`
    const many = archive(...Array.from({ length: 12 }, (_, i) => file(`${i}.json`, half)))
    await refused(images.load(many), 'invalid_argument', /too much metadata/)
  })
})

describe('deep nesting', () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000)

  it('of a manifest is refused', async () => {
    const { refused, ...images } = hostile()
    await refused(images.load(archive(file('manifest.json', deep))), 'invalid_argument', /manifest.json/)
  })

  it('of a configuration breaks nothing that reads it afterwards', async () => {
    const images = hostile()
    const config = Buffer.from(
      `{"architecture":"amd64","os":"linux","config":{},"x":${deep},"rootfs":{"type":"layers","diff_ids":[]}}`,
    )
    const id = digestOf(config)
    const path = `blobs/sha256/${id.slice(7)}`
    const manifest = encodeJson([{ Config: path, RepoTags: ['deep:1'], Layers: [] }])
    await Array.fromAsync(
      images.load(archive(file(path, config), file('manifest.json', Buffer.from(manifest)))),
    )
    assert.equal((await images.query.inspect('deep:1', { manifests: true })).Id, id)
    assert.deepEqual(await images.query.history('deep:1'), [])
  })
})
