import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { isKind } from '#base/errors.ts'
import { decompress } from '#oci/compression.ts'
import {
  archive,
  device,
  directory,
  file,
  hardlink,
  header,
  opaque,
  padded,
  pax,
  stream,
  symlink,
  whiteout,
  type Piece,
} from '#test/fixtures/archives/archive.ts'
import { sparse } from '#test/fixtures/archives/sparse.ts'
import { listing } from './snapshots-listing.ts'
import { startStore, type Store } from './snapshots-store.ts'

/** A file outside the store that no archive may reach. */
async function withCanary(store: Store): Promise<{ readonly path: string; untouched(): Promise<void> }> {
  const path = join(store.root, 'canary')
  await writeFile(path, 'alive')
  return { path, untouched: async () => assert.equal(await readFile(path, 'utf8'), 'alive') }
}

async function refused(store: Store, pattern: RegExp, ...pieces: readonly Piece[]): Promise<void> {
  await refusedBytes(store, pattern, archive(...pieces))
}

async function refusedBytes(store: Store, pattern: RegExp, bytes: Buffer): Promise<void> {
  await assert.rejects(store.snapshots.ingest(stream(bytes)), (error) => {
    assert.ok(isKind(error, 'invalid_argument'), inspect(error))
    assert.match((error as Error).message, pattern)
    return true
  })
  assert.deepEqual(await Array.fromAsync(store.snapshots.layers()), [])
  assert.deepEqual(await store.leftovers(), [])
}

/** Type and path of everything the layer shows. */
async function names(store: Store, ...pieces: readonly Piece[]): Promise<readonly string[]> {
  const { diffId } = await store.snapshots.ingest(stream(archive(...pieces)))
  await using view = await store.snapshots.view([diffId])
  const lines = await listing(store.trees, { join: store.helper.pid, root: view.path })
  return lines.map((line) => line.split(' ').slice(0, 2).join(' ').replaceAll('"', ''))
}

for (const driver of ['erofs', 'directory'] as const) {
  describe(`hostile layers with ${driver} layers`, () => {
    it('CVE-2026-17106, CVE-2025-11395: names with .. are refused', async () => {
      await using store = await startStore(driver)
      const canary = await withCanary(store)
      await refused(store, /\.\.\/\.\.\/canary: name leads out/, file('../../canary', 'dead'))
      await refused(store, /leads out/, directory('a'), file('a/../../../canary', 'dead'))
      await refused(store, /leads out/, pax([['path', '../canary']]), file('x', 'dead'))
      await canary.untouched()
    })

    it('CVE-2025-11395: absolute names stay inside the layer', async () => {
      await using store = await startStore(driver)
      const canary = await withCanary(store)
      const shown = await names(store, pax([['path', canary.path]]), file('x', 'dead'))
      assert.equal(shown.at(-1), `file ${canary.path.slice(1)}`)
      await canary.untouched()
    })

    it('CVE-2014-9356: a symlink to / with files below it stays inside the layer', async () => {
      await using store = await startStore(driver)
      const canary = await withCanary(store)
      const below = canary.path.slice(1)
      const shown = await names(store, symlink('a', '/'), pax([['path', `a/${below}`]]), file('x', 'dead'))
      assert.ok(shown.includes('symlink a') && shown.includes(`file ${below}`))
      await canary.untouched()
    })

    it('CVE-2026-17106: chains of symlinks stay inside the layer, loops are refused', async () => {
      await using store = await startStore(driver)
      await refused(store, /too many symbolic links/, symlink('a', 'b'), symlink('b', 'a'), file('a/x'))
      const chain = [symlink('a', 'b'), symlink('b', '../../c/..'), file('a/etc/x')]
      assert.deepEqual(await names(store, ...chain), [
        'directory c',
        'directory etc',
        'file etc/x',
        'symlink a',
        'symlink b',
      ])
    })

    it('CVE-2026-17106: hard links to the outside are refused', async () => {
      await using store = await startStore(driver)
      await refused(store, /link leads out/, hardlink('x', '../../../etc/shadow'))
      await refused(store, /hard link to a file that the layer does not hold/, hardlink('x', '/etc/shadow'))
      await refused(
        store,
        /hard link to a file that the layer does not hold/,
        symlink('a', '/etc'),
        hardlink('x', 'a/shadow'),
      )
    })

    it('CVE-2026-17106: whiteouts of . and .. are refused, also of a lower parent', async () => {
      await using store = await startStore(driver)
      for (const name of ['.wh...', 'a/.wh...', '.wh..', '.wh.']) {
        await refused(store, /whiteout of nothing/, file(name))
      }
    })

    it('CVE-2026-17106: an opaque directory below a symlink stays inside the layer', async () => {
      await using store = await startStore(driver)
      const canary = await withCanary(store)
      const shown = await names(store, symlink('a', store.root), opaque('a'), file('a/new'))
      assert.ok(shown.includes(`file ${store.root.slice(1)}/new`))
      await canary.untouched()
    })

    it('CVE-2026-95838: 100,000 opaque whiteouts take a short time', async () => {
      await using store = await startStore(driver)
      const pieces = Buffer.concat(Array.from({ length: 100_000 }, (_, i) => opaque(`d${i % 100}`)))
      assert.equal((await names(store, pieces)).length, 100)
    })

    it('GHSA-697p-8837-37h3, GHSA-g3rx-2m58-rr63: over-long names and bad attributes are refused', async () => {
      await using store = await startStore(driver)
      await refused(store, /component longer than 255/, pax([['path', 'n'.repeat(256)]]), file('x'))
      await refused(store, /longer than 4095/, pax([['path', 'n/'.repeat(2500)]]), file('x'))
      await refused(
        store,
        /attribute user.big is too large/,
        pax([['SCHILY.xattr.user.big', Buffer.alloc(70_000)]]),
        file('x'),
      )
    })

    it('CVE-2025-58183: huge extended headers and sparse maps are refused unread', async () => {
      await using store = await startStore(driver)
      await refused(store, /extended header of/, header({ name: 'x', type: 'x', size: 1 << 30 }))
      const records = [
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.realsize', '9'],
      ] as const
      const map = padded(Buffer.from('1000000000\n'))
      await refused(
        store,
        /too many sparse regions/,
        pax(records),
        header({ name: 'b', type: '0', size: 512 }),
        map,
      )
    })

    it('sparse bomb: a file of 16 TiB that is one hole takes no space, or is refused', async () => {
      await using store = await startStore(driver)
      const bomb = sparse('1.0', { name: 'bomb', size: 16 * 2 ** 40, regions: [] })
      if (driver === 'directory')
        return await refused(store, /bomb: sparse files that are too large when unpacked/, bomb)
      const { stored } = await store.snapshots.ingest(stream(archive(bomb)))
      assert.ok(stored < 200_000)
    })

    it('sparse bomb: many tiny regions in a huge file are refused', async () => {
      await using store = await startStore(driver)
      const regions = [
        { offset: 512, data: Buffer.alloc(512) },
        { offset: 2 ** 40, data: Buffer.alloc(512) },
      ]
      await refused(store, /too large when unpacked/, sparse('1.0', { name: 'bomb', size: 2 ** 41, regions }))
    })

    it('CVE-2021-41091: device nodes come as they are, below a data root that only root can enter', async () => {
      await using store = await startStore(driver)
      assert.deepEqual(await names(store, device('sda', 'b', 8, 0), device('w', 'c', 0, 0)), ['block sda'])
      const { code } = await store.helper.run([
        'setpriv',
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        'ls',
        join(store.dataRoot, 'layers'),
      ])
      assert.notEqual(code, 0)
    })

    it('truncated and corrupt streams leave nothing behind', async () => {
      await using store = await startStore(driver)
      const bytes = archive(directory('d'), file('d/f', Buffer.alloc(200_000, 'x')), whiteout('g'))
      for (const length of [100, 600, 1500, 150_000, 201_000]) {
        await refusedBytes(store, /unexpected end/, bytes.subarray(0, length))
      }
      const flipped = Buffer.from(bytes)
      flipped[512 + 8]! ^= 1
      await refusedBytes(store, /wrong checksum/, flipped)

      const compressed = gzipSync(bytes)
      const cut = decompress(stream(compressed.subarray(0, compressed.length - 10)))
      await assert.rejects(store.snapshots.ingest(cut), (error) => isKind(error, 'invalid_argument'))
      assert.deepEqual(await store.leftovers(), [])
    })

    it('CVE-2014-9358: ids that would be paths are refused', async () => {
      await using store = await startStore(driver)
      for (const id of ['../x', '..', '.', '', 'a/b', 'a\0b', `x${'y'.repeat(200)}`, '-rf']) {
        await assert.rejects(store.snapshots.prepare(id, []), (error) => isKind(error, 'invalid_argument'))
        await assert.rejects(store.snapshots.remove(id), (error) => isKind(error, 'invalid_argument'))
        await assert.rejects(store.snapshots.usage(id), (error) => isKind(error, 'invalid_argument'))
      }
    })
  })
}
