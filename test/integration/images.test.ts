import assert from 'node:assert/strict'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { type Digest, digestOf } from '#base/digest.ts'
import { type Images, openImages } from '#engine/images/images.ts'
import { encodeJson } from '#engine/images/manifest.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { type TarSource, writeTar } from '#oci/tar/write-tar.ts'
import { FileContent } from '#store/content/file-content.ts'
import { openDatabase } from '#store/db.ts'
import { logger, startStore } from './snapshots-store.ts'

function file(path: string, data: Uint8Array): TarSource {
  const mtime = { seconds: 1, nanoseconds: 0 }
  const entry = { type: 'file', path, mode: 0o644, uid: 0, gid: 0, mtime, size: data.length } as const
  return { entry, data: [data] }
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(source))
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

/** A docker archive of one image with two layers, and what is in them. */
async function archiveOf(compress: (bytes: Uint8Array) => Uint8Array): Promise<Buffer> {
  const layers = [
    await bytesOf(writeTar([file('etc/motd', Buffer.from('hello')), file('etc/gone', Buffer.from('x'))])),
    await bytesOf(
      writeTar([file('etc/.wh.gone', Buffer.alloc(0)), file('big', Buffer.alloc(300_000, 'berth'))]),
    ),
  ]
  const config = encodeJson({
    architecture: 'amd64',
    os: 'linux',
    config: { Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
  })
  return bytesOf(
    writeTar([
      ...layers.map((layer, at) => file(`${at}/layer.tar`, compress(layer))),
      file('config.json', config),
      file(
        'manifest.json',
        encodeJson([
          { Config: 'config.json', RepoTags: ['hello:1'], Layers: ['0/layer.tar', '1/layer.tar'] },
        ]),
      ),
    ]),
  )
}

/** Images over the real stores, on one data root for as long as `work` runs. */
async function withImages(
  driver: 'erofs' | 'directory',
  work: (context: {
    images: Images
    reopen: () => Promise<Images>
    dataRoot: string
    store: Store
  }) => Promise<void>,
): Promise<void> {
  await using resources = new AsyncDisposableStack()
  const store = resources.use(await startStore(driver))
  const { dataRoot, snapshots } = store
  await mkdir(dataRoot, { recursive: true })
  const content = new FileContent({ dataRoot })
  await content.recover()
  const open = async (): Promise<Images> => {
    const db = resources.use(openDatabase(join(dataRoot, 'state.db'), { logger }))
    const events = { publish: () => undefined }
    const images = openImages({ db, content, snapshots, events, inUse: () => [], logger, clock: Date.now })
    await images.recover()
    return images
  }
  await work({ images: await open(), reopen: open, dataRoot, store })
}

type Store = Awaited<ReturnType<typeof startStore>>

async function filesOf(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}

for (const driver of ['erofs', 'directory'] as const) {
  describe(`images over the ${driver} store`, () => {
    for (const [name, compress] of [
      ['plain', (bytes: Uint8Array) => bytes],
      ['gzip', gzipSync],
      ['zstd', zstdCompressSync],
    ] as const) {
      it(`load ${name} layers, whose files are there when they are mounted`, async () => {
        await withImages(driver, async ({ images, store }) => {
          await Array.fromAsync(images.load(once(await archiveOf(compress)), { quiet: false }))
          const { layers } = await images.store.resolve('hello:1')
          await using view = await store.snapshots.view(layers)
          const seen = store.seen(view.path)
          assert.equal(await readFile(join(seen, 'etc/motd'), 'utf8'), 'hello')
          assert.deepEqual(await readdir(join(seen, 'etc')), ['motd'])
        })
      })
    }

    it('save what was loaded, layer for layer, and load it again elsewhere', async () => {
      await withImages(driver, async ({ images }) => {
        await Array.fromAsync(images.load(once(await archiveOf(gzipSync)), { quiet: true }))
        const saved = await bytesOf(await images.save(['hello:1']))
        const names = (await Array.fromAsync(readTar(once(saved)), ({ entry }) => entry.path)).slice(0, 3)
        assert.deepEqual(names, ['oci-layout', 'index.json', 'manifest.json'])
        await withImages(driver, async ({ images: others }) => {
          await Array.fromAsync(others.load(once(saved), { quiet: true }))
          assert.equal(others.store.lookup('hello:1'), images.store.lookup('hello:1'))
          assert.equal((await bytesOf(await others.save(['hello:1']))).equals(saved), true)
        })
      })
    })

    it('survive a restart, and leave nothing when they are removed', async () => {
      await withImages(driver, async ({ images, reopen, dataRoot, store }) => {
        await Array.fromAsync(images.load(once(await archiveOf(gzipSync)), { quiet: true }))
        const again = await reopen()
        assert.deepEqual((await again.store.resolve('hello:1')).config.config?.Cmd, ['/bin/sh'])
        await again.remove('hello:1', { force: false, noprune: false })
        assert.deepEqual(await store.leftovers(), [])
        const left = (await filesOf(dataRoot)).filter((path) => !path.includes('/state.db'))
        assert.deepEqual(left, [])
      })
    })

    it('recover from a crash between layer and row', async () => {
      await withImages(driver, async ({ images, reopen, store }) => {
        await Array.fromAsync(images.load(once(await archiveOf(gzipSync)), { quiet: true }))
        const kept = (await images.store.resolve('hello:1')).layers
        await store.snapshots.ingest(writeTar([file('orphan', Buffer.from('orphan'))]))
        await reopen()
        const found: Digest[] = []
        for await (const { diffId } of store.snapshots.layers()) found.push(diffId)
        assert.deepEqual(found.toSorted(), kept.toSorted())
      })
    })

    it('import a root filesystem', async () => {
      await withImages(driver, async ({ images, store }) => {
        const tar = zstdCompressSync(await bytesOf(writeTar([file('./etc/motd', Buffer.from('hi'))])))
        const messages = await Array.fromAsync(
          images.import(once(tar), { repo: 'mine', message: '', changes: ['CMD ["x"]'] }),
        )
        const image = await images.store.resolve('mine')
        assert.equal(messages.at(-1)?.status, image.id)
        await using view = await store.snapshots.view(image.layers)
        assert.equal(await readFile(join(store.seen(view.path), 'etc/motd'), 'utf8'), 'hi')
      })
    })
  })
}
