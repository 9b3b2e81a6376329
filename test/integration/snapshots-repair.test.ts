import assert from 'node:assert/strict'
import { mkdir, open, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hexOf, type Digest } from '#base/digest.ts'
import { archive, directory, file, stream, symlink } from '#test/fixtures/archives/archive.ts'
import { type Store, startStore } from './snapshots-store.ts'

const bytes = archive(directory('d'), file('d/f', Buffer.alloc(300_000, 'x')), symlink('l', 'd/f'))

const pathIn = (store: Store, diffId: Digest, name: string): string =>
  join(store.dataRoot, 'layers/sha256', hexOf(diffId), name)

async function flip(path: string, at: number): Promise<void> {
  await using handle = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await handle.read(byte, 0, 1, at)
  byte[0]! ^= 0x10
  await handle.write(byte, 0, 1, at)
}

for (const driver of ['erofs', 'directory'] as const) {
  const archiveName = driver === 'erofs' ? 'layer.tar' : 'layer.tar.zst'
  const madeOf = driver === 'erofs' ? 'index.erofs' : 'diff/d/f'

  describe(`checkLayer() (${driver})`, () => {
    it('finds a layer whole, or missing', async () => {
      await using store = await startStore(driver)
      const { diffId } = await store.snapshots.ingest(stream(bytes))
      assert.deepEqual(await store.snapshots.checkLayer(diffId), { state: 'whole' })
      const other: Digest = `sha256:${'0'.repeat(64)}`
      assert.deepEqual(await store.snapshots.checkLayer(other), { state: 'missing' })
    })

    it('finds a flipped bit of the archive, after which ingest() replaces the layer, also when it is in use', async () => {
      await using store = await startStore(driver)
      const { diffId } = await store.snapshots.ingest(stream(bytes))
      await store.snapshots.prepare('box', [diffId])
      const { lower } = await store.snapshots.root('box', [diffId])
      const path = pathIn(store, diffId, archiveName)
      await flip(path, driver === 'erofs' ? 5000 : (await stat(path)).size - 10)

      const health = await store.snapshots.checkLayer(diffId)

      assert.equal(health.state === 'damaged' && health.archive, 'damaged')
      assert.equal(await store.snapshots.layer(diffId), undefined)
      // Who has it keeps it: a bit in one file is no reason to stop everything.
      assert.equal((await readFile(store.seen(join(lower[0]!, 'd/f')))).length, 300_000)

      await store.snapshots.ingest(stream(bytes), { expected: diffId })

      assert.deepEqual(await store.snapshots.checkLayer(diffId), { state: 'whole' })
      assert.ok(await store.snapshots.layer(diffId))
      const again = await store.snapshots.root('box', [diffId])
      assert.equal((await readFile(store.seen(join(again.lower[0]!, 'd/f')), 'utf8')).replaceAll('x', ''), '')
      assert.deepEqual(await store.leftovers(), [])
    })

    for (const [what, size] of [
      ['cut off', 1000],
      ['without a byte', 0],
    ] as const) {
      it(`names an archive that is ${what}`, async () => {
        await using store = await startStore(driver)
        const { diffId } = await store.snapshots.ingest(stream(bytes))
        const path = pathIn(store, diffId, archiveName)
        const length = Math.min(size, (await stat(path)).size - 1)
        await truncate(path, length)
        const health = await store.snapshots.checkLayer(diffId)
        assert.ok(health.state === 'damaged' && health.archive === 'damaged')
        assert.match(health.problem, new RegExp(`${archiveName} has ${length} bytes instead of`))
      })
    }

    it('has the rest made again from an intact archive', async () => {
      await using store = await startStore(driver)
      const { diffId } = await store.snapshots.ingest(stream(bytes))
      const record = pathIn(store, diffId, 'layer.json')
      const damages: readonly (() => Promise<void>)[] = [
        () => flip(pathIn(store, diffId, madeOf), 100),
        () => truncate(pathIn(store, diffId, madeOf), 0),
        () => rm(pathIn(store, diffId, madeOf)),
        () => rm(record),
        async () =>
          writeFile(
            record,
            (await readFile(record, 'utf8')).replace('"opaqueRoot":false', '"opaqueRoot":true'),
          ),
      ]
      for (const damage of damages) {
        await damage()
        const health = await store.snapshots.checkLayer(diffId)
        assert.ok(health.state === 'damaged', JSON.stringify(health))
        assert.equal(health.archive, 'intact')
        await store.snapshots.rebuildLayer(diffId)
        assert.deepEqual(await store.snapshots.checkLayer(diffId), { state: 'whole' })
        await using view = await store.snapshots.view([diffId])
        assert.equal((await readFile(store.seen(join(view.path, 'd/f')))).length, 300_000)
      }
      assert.deepEqual(await store.leftovers(), [])
    })
  })
}

describe('leftovers()', () => {
  it('lists what nobody works on, once it is old, and removes it', async () => {
    await using store = await startStore('erofs')
    const old = new Date(Date.now() - 3600_000)
    for (const path of ['staging/old', 'staging/young', 'trash/old']) {
      await mkdir(join(store.dataRoot, path))
      if (path.endsWith('old')) await utimes(join(store.dataRoot, path), old, old)
    }
    assert.deepEqual(await store.snapshots.leftovers(), ['staging/old', 'trash/old'])
    for (const path of await store.snapshots.leftovers()) await store.snapshots.removeLeftover(path)
    assert.deepEqual(await store.leftovers(), ['young'])
  })
})
