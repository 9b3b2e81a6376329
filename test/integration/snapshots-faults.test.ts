import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hexOf, type Digest } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { startProcess } from '#os/process.ts'
import { DiskSnapshots } from '#store/snapshots/disk-snapshots.ts'
import { archive, directory, file, stream } from '#test/fixtures/archives/archive.ts'
import { temporaryDirectory } from '#test/support/native.ts'
import { logger, startStore, type Store } from './snapshots-store.ts'

const bytes = archive(directory('d'), file('d/f', Buffer.alloc(300_000, 'x')))

function again(store: Store, driver: 'erofs' | 'directory'): DiskSnapshots {
  const { dataRoot, execRoot, helper, trees } = store
  return new DiskSnapshots({ dataRoot, execRoot, helper, trees, logger, driver })
}

const layerPath = (store: Store, diffId: Digest): string =>
  join(store.dataRoot, 'layers/sha256', hexOf(diffId))

for (const driver of ['erofs', 'directory'] as const) {
  const archiveName = driver === 'erofs' ? 'layer.tar' : 'layer.tar.zst'

  describe(`DiskSnapshots (${driver}) after faults`, () => {
    it('recover() empties staging and trash, keeps layers and snapshots, and can be repeated', async () => {
      await using store = await startStore(driver)
      const { diffId } = await store.snapshots.ingest(stream(bytes))
      await store.snapshots.prepare('box', [diffId])
      for (const place of ['staging', 'trash']) {
        await mkdir(join(store.dataRoot, place, 'left/over'), { recursive: true })
        await writeFile(join(store.dataRoot, place, 'left/over/file'), 'x')
        await writeFile(join(store.dataRoot, place, 'file'), 'x')
      }
      await using restarted = again(store, driver)

      await restarted.recover()
      await restarted.recover()
      await restarted.idle()

      assert.deepEqual(await store.leftovers(), [])
      assert.ok(await restarted.layer(diffId))
      assert.deepEqual(await restarted.snapshots(), ['box'])
      assert.equal((await stat(store.dataRoot)).mode & 0o777, 0o700)
    })

    it('a layer whose archive was cut off is missing to layer(), data_loss to users, and repaired by ingest()', async () => {
      await using store = await startStore(driver)
      const { diffId } = await store.snapshots.ingest(stream(bytes))
      await truncate(join(layerPath(store, diffId), archiveName), 100)
      await using restarted = again(store, driver)

      assert.equal(await restarted.layer(diffId), undefined)
      await assert.rejects(restarted.prepare('box', [diffId]), (error) => {
        assert.ok(isKind(error, 'data_loss'))
        assert.match(
          (error as Error).message,
          new RegExp(`layer ${diffId} is damaged: ${archiveName} has 100 bytes`),
        )
        return true
      })
      await assert.rejects(Array.fromAsync(restarted.tar(diffId)), (error) => isKind(error, 'data_loss'))
      assert.equal((await Array.fromAsync(restarted.layers())).length, 1)

      await restarted.ingest(stream(bytes), { expected: diffId })

      assert.ok(await restarted.layer(diffId))
      await restarted.prepare('box', [diffId])
      assert.equal((await restarted.root('box', [diffId])).lower.length, 1)
      await restarted.idle()
      assert.deepEqual(await store.leftovers(), [])
    })

    it('a layer without or with a foreign record is damaged, and can be removed', async () => {
      await using store = await startStore(driver)
      const { diffId } = await store.snapshots.ingest(stream(bytes))
      const record = join(layerPath(store, diffId), 'layer.json')
      for (const spoil of [
        () => writeFile(record, '{"version":2}'),
        () => writeFile(record, 'x'),
        () => rm(record),
      ]) {
        await spoil()
        await using restarted = again(store, driver)
        assert.equal(await restarted.layer(diffId), undefined)
        await assert.rejects(restarted.view([diffId]), (error) => isKind(error, 'data_loss'))
      }
      await store.snapshots.removeLayer(diffId)
      assert.deepEqual(await readdir(join(store.dataRoot, 'layers/sha256')), [])
    })

    it('a full disk is resource_exhausted with the path, and leaves nothing behind', async () => {
      await using small = await smallDisk('4m')
      await using store = await startStore(driver, { dataRoot: join(small.path, 'data') })
      const kept = await store.snapshots.ingest(stream(bytes))
      const large = archive(file('large', Buffer.alloc(6_000_000, 'x')))

      await assert.rejects(store.snapshots.ingest(stream(large)), (error) => {
        assert.ok(isKind(error, 'resource_exhausted'), String(error))
        assert.match((error as Error).message, new RegExp(`no space left on device: ${small.path}`))
        return true
      })

      assert.deepEqual(await store.leftovers(), [])
      assert.deepEqual(await Array.fromAsync(store.snapshots.layers()), [kept])
      await store.snapshots.prepare('box', [kept.diffId])
      await store.snapshots.remove('box')
      await store.snapshots.removeLayer(kept.diffId)
      assert.deepEqual(await store.leftovers(), [])
    })
  })
}

describe('DiskSnapshots (erofs) after faults', () => {
  it('never shows the kernel an index that is not the one that was written', async () => {
    await using store = await startStore('erofs')
    const { diffId } = await store.snapshots.ingest(stream(bytes))
    const index = join(layerPath(store, diffId), 'index.erofs')
    const { size } = await stat(index)
    await writeFile(index, Buffer.alloc(size, 1))
    await assert.rejects(store.snapshots.view([diffId]), /index.erofs is not what was written/)
  })

  it('unpacks layers of a data root that comes from a machine with EROFS', async () => {
    await using store = await startStore('erofs')
    const { diffId } = await store.snapshots.ingest(stream(bytes))
    await using moved = again(store, 'directory')

    for (const _again of [1, 2]) {
      const views = await Promise.all([moved.view([diffId]), moved.view([diffId])])
      for (const view of views) {
        assert.equal((await readFile(store.seen(join(view.path, 'd/f')))).length, 300_000)
        await view[Symbol.asyncDispose]()
      }
    }

    assert.ok(Buffer.concat(await Array.fromAsync(moved.tar(diffId))).equals(bytes))
    await moved.idle()
    assert.deepEqual(await store.leftovers(), [])
  })

  it('unmounts a layer that is removed', async () => {
    await using store = await startStore('erofs')
    const { diffId } = await store.snapshots.ingest(stream(bytes))
    await store.snapshots.prepare('box', [diffId])
    const { lower } = await store.snapshots.root('box', [diffId])
    assert.deepEqual(await readdir(store.seen(lower[0]!)), ['d'])

    await store.snapshots.removeLayer(diffId)

    assert.deepEqual(await readdir(store.seen(join(store.execRoot, 'mnt/l'))), [])
  })
})

/** A filesystem of its own that is full soon. */
async function smallDisk(size: string): Promise<AsyncDisposable & { readonly path: string }> {
  await using resources = new AsyncDisposableStack()
  const { path } = resources.use(await temporaryDirectory('small'))
  await run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'berth-test', path)
  resources.defer(() => run('umount', path))
  const owned = resources.move()
  return { path, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function run(...argv: readonly [string, ...string[]]): Promise<void> {
  const { exited } = await startProcess(argv)
  const { code } = await exited
  assert.equal(code, 0, argv.join(' '))
}
