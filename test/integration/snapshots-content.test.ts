import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Digest } from '#base/digest.ts'
import { probeSnapshots } from '#store/snapshots/probe-snapshots.ts'
import {
  archive,
  device,
  directory,
  fifo,
  file,
  hardlink,
  opaque,
  pax,
  stream,
  symlink,
  whiteout,
  type Piece,
} from '#test/fixtures/archives/archive.ts'
import { contentOf, sparse, type SparseFile } from '#test/fixtures/archives/sparse.ts'
import { listing } from './snapshots-listing.ts'
import { startStore, type Store } from './snapshots-store.ts'

const drivers = ['erofs', 'directory'] as const

async function ingest(store: Store, ...pieces: readonly Piece[]): Promise<Digest> {
  return (await store.snapshots.ingest(stream(archive(...pieces)))).diffId
}

async function merged(store: Store, layers: readonly Digest[]): Promise<readonly string[]> {
  await using view = await store.snapshots.view(layers)
  return await listing(store.trees, { join: store.helper.pid, root: view.path })
}

/** Everything a layer can hold, with the directories that hold it. */
const everything: readonly Piece[] = [
  directory('.', { mode: 0o751, mtime: 1_000_000_000 }),
  directory('d', { mode: 0o1777, uid: 5, gid: 6, mtime: 1_100_000_000 }),
  pax([
    ['mtime', '1234567890.123456789'],
    ['SCHILY.xattr.user.note', 'with spaces'],
    ['SCHILY.xattr.security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex')],
    ['SCHILY.xattr.trusted.mark', Buffer.alloc(300, 1)],
  ]),
  file('d/tool', 'program', { mode: 0o6755, uid: 1000, gid: 70_000 }),
  hardlink('d/again', 'd/tool'),
  file('d/empty', ''),
  file('d/block', Buffer.alloc(512, 'b')),
  file('d/large', Buffer.alloc(1_234_567, 'large')),
  symlink('d/short', 'tool'),
  pax([['linkpath', `/${'t'.repeat(900)}`]]),
  symlink('d/long', 'x'),
  hardlink('d/short2', 'd/short'),
  device('null', 'c', 1, 3, { mode: 0o666 }),
  device('disk', 'b', 259, 70_000, { mode: 0o660, gid: 6 }),
  fifo('pipe', { mode: 0o600 }),
  pax([['mtime', '-86400.5']]),
  file('before-1970', 'x'),
  pax([['path', `name-${'ü'.repeat(120)}`]]),
  file('x', 'x'),
  file(Buffer.from('latin-\xe9', 'latin1'), 'x'),
  directory('many'),
  ...Array.from({ length: 300 }, (_, i) =>
    file(`many/${'#+-._~'.charAt(i % 6)}${'n'.repeat(i % 90)}${i}`, `${i}`),
  ),
  directory('implied-parent', { mtime: 5 }),
]

const holes: SparseFile = {
  name: 'holes',
  size: 300_000,
  regions: [
    { offset: 4096, data: Buffer.alloc(8192, 'one') },
    { offset: 65_536, data: Buffer.alloc(512, 'two') },
    { offset: 299_520, data: Buffer.alloc(480, 'end') },
  ],
}

describe('DiskSnapshots', () => {
  it('probe: EROFS works here', async () => {
    await using store = await startStore('erofs')
    const probe = await probeSnapshots(store)
    assert.equal(probe.driver, 'erofs', probe.reason)
    assert.deepEqual(await readdir(join(store.dataRoot, 'staging')), [])
  })

  it('shows every file of a layer alike with both drivers, and as the archive says', async () => {
    await using erofs = await startStore('erofs')
    await using unpacked = await startStore('directory')
    const shown = await merged(erofs, [await ingest(erofs, ...everything)])

    assert.deepEqual(await merged(unpacked, [await ingest(unpacked, ...everything)]), shown)
    const lines = shown.filter((line) => !line.includes('"many/'))
    assert.equal(shown.length - lines.length, 300)
    assert.deepEqual(lines, [
      'block "disk" 660 0:6 1700000000.0  259:70000 ',
      'char "null" 666 0:0 1700000000.0  1:3 ',
      'directory "d" 1777 5:6 1100000000.0  0:0 ',
      'directory "implied-parent" 755 0:0 5.0  0:0 ',
      'directory "many" 755 0:0 1700000000.0  0:0 ',
      'fifo "pipe" 600 0:0 1700000000.0  0:0 ',
      `file "before-1970" 644 0:0 -86401.500000000  0:0 ${sized('x')}`,
      `file "d/again" 6755 1000:70000 1234567890.123456789  0:0 ${sized('program')} ${attributes}`,
      regular('d/block', Buffer.alloc(512, 'b')),
      regular('d/empty', ''),
      regular('d/large', Buffer.alloc(1_234_567, 'large')),
      regular('latin-\udce9', 'x'),
      regular(`name-${'ü'.repeat(120)}`, 'x'),
      'hardlink "d/short2" 777 0:0 1700000000.0 d/short 0:0 ',
      `hardlink "d/tool" 6755 1000:70000 1234567890.123456789 d/again 0:0  ${attributes}`,
      `symlink "d/long" 777 0:0 1700000000.0 /${'t'.repeat(900)} 0:0 `,
      'symlink "d/short" 777 0:0 1700000000.0 tool 0:0 ',
    ])
  })

  for (const driver of drivers) {
    describe(`with ${driver} layers`, () => {
      it('hides by whiteouts and opaque directories, and shows what comes on top', async () => {
        await using store = await startStore(driver)
        const base = await ingest(
          store,
          file('keep', '1'),
          file('gone', '1'),
          file('replaced', 'old'),
          directory('dir'),
          file('dir/below', '1'),
          directory('merged'),
          file('merged/low', '1'),
          directory('again'),
          file('again/low', '1'),
          file('tree/a/b', '1'),
        )
        const top = await ingest(
          store,
          whiteout('gone'),
          file('replaced', 'new'),
          opaque('dir'),
          file('dir/above', '2'),
          directory('merged', { mode: 0o700 }),
          file('merged/high', '2'),
          whiteout('again'),
          directory('again'),
          file('again/high', '2'),
          whiteout('tree/a'),
        )
        const names = async (layers: readonly Digest[]): Promise<readonly string[]> =>
          (await merged(store, layers)).map((line) => line.split(' ').slice(0, 3).join(' '))

        assert.deepEqual(await names([base, top]), [
          'directory "again" 755',
          'directory "dir" 755',
          'directory "merged" 700',
          'directory "tree" 755',
          'file "again/high" 644',
          'file "dir/above" 644',
          'file "keep" 644',
          'file "merged/high" 644',
          'file "merged/low" 644',
          'file "replaced" 644',
        ])
      })

      it('shows layers of which one comes again as if its archives had been applied one after the other', async () => {
        await using store = await startStore(driver)
        const again = await ingest(store, file('f', 'first'), whiteout('gone'), file('d/one', '1'))
        const between = await ingest(store, file('f', 'other'), whiteout('d'), file('gone', 'back'))
        const names = async (layers: readonly Digest[]): Promise<readonly string[]> =>
          (await merged(store, layers)).map((line) => line.split(' ')[1] ?? '')
        assert.deepEqual(await names([again, between]), ['"f"', '"gone"'])
        assert.deepEqual(await names([again, between, again]), ['"d"', '"d/one"', '"f"'])
        assert.deepEqual(await names([between, again, between, again, again]), ['"d"', '"d/one"', '"f"'])
      })

      it('leaves out the layers below an opaque root', async () => {
        await using store = await startStore(driver)
        const base = await ingest(store, file('low'))
        const middle = await ingest(store, opaque(''), file('middle'))
        const top = await ingest(store, file('top'))
        const lines = await merged(store, [base, middle, top])
        assert.deepEqual(
          lines.map((line) => line.split(' ')[1]),
          ['"middle"', '"top"'],
        )
        assert.equal((await merged(store, [middle])).length, 1)
      })

      it('reads sparse files with all their holes', async () => {
        await using store = await startStore(driver)
        const odd: SparseFile = {
          name: 'odd',
          size: 10_000,
          regions: [{ offset: 700, data: Buffer.from('x') }],
        }
        const hole: SparseFile = { name: 'hole', size: 5_000_000, regions: [] }
        const aligned = [sparse('old', holes), sparse('1.0', { ...holes, name: 'new' }), sparse('0.1', hole)]
        const layers = [await ingest(store, ...aligned), await ingest(store, sparse('1.0', odd))]
        await using view = await store.snapshots.view(layers)
        for (const example of [holes, { ...holes, name: 'new' }, hole, odd]) {
          const bytes = await readFile(store.seen(join(view.path, example.name)))
          assert.ok(bytes.equals(contentOf(example)), example.name)
        }
      })

      it('copies a file of a lower layer that is hard-linked to, and refuses to guess', async () => {
        await using store = await startStore(driver)
        const base = await ingest(store, file('bin/tool', 'program', { mode: 0o4755, uid: 3 }))
        const bytes = archive(hardlink('link', 'bin/tool'), hardlink('other', 'bin/tool'))

        await assert.rejects(
          store.snapshots.ingest(stream(bytes)),
          /bin\/tool: hard link to a file that the layer/,
        )
        assert.deepEqual(await store.leftovers(), [])

        const top = await store.snapshots.ingest(stream(bytes), { parents: async () => [base] })
        assert.deepEqual(
          (await merged(store, [base, top.diffId])).map((line) => line.split(' ').slice(0, 4).join(' ')),
          [
            'directory "bin" 755 0:0',
            'file "bin/tool" 4755 3:0',
            'file "link" 4755 3:0',
            'hardlink "other" 4755 3:0',
          ],
        )
        assert.ok(Buffer.concat(await Array.fromAsync(store.snapshots.tar(top.diffId))).equals(bytes))
      })

      it('gives a container a writable root that leaves the layers alone', async () => {
        await using store = await startStore(driver)
        const { snapshots, helper } = store
        const base = await ingest(
          store,
          directory('.', { mode: 0o711, uid: 4 }),
          file('a', 'layer'),
          file('b', 'layer'),
        )
        await snapshots.prepare('box', [base])
        const { lower, upper, work } = await snapshots.root('box', [base])
        const target = join(store.execRoot, 'mnt/test')
        await mkdir(store.seen(target))
        const options = `lowerdir=${lower.join(':')},upperdir=${upper},workdir=${work}`
        const mount = await helper.run(['mount', '-t', 'overlay', 'overlay', '-o', options, target])
        assert.equal(mount.code, 0, mount.stderr)

        await writeFile(store.seen(join(target, 'a')), 'container')

        const root = await stat(store.seen(target))
        assert.deepEqual([root.mode & 0o7777, root.uid], [0o711, 4])
        assert.equal(await readFile(join(upper, 'a'), 'utf8'), 'container')
        await helper.unmount(target)
        assert.equal(await snapshots.usage('box'), 4096)
        await using view = await snapshots.view([base])
        assert.equal(await readFile(store.seen(join(view.path, 'a')), 'utf8'), 'layer')
        await snapshots.remove('box')
        assert.deepEqual(await store.leftovers(), [])
      })

      it('shows a real tree of some thousand files exactly as tar unpacks it', async () => {
        await using store = await startStore(driver)
        const tar = join(store.root, 'tree.tar')
        const plain = join(store.root, 'tree')
        await mkdir(plain)
        const made = await store.helper.run([
          'tar',
          '--numeric-owner',
          '--format=pax',
          '--xattrs',
          '-C',
          '/usr',
          '-cf',
          tar,
          'share/doc',
          'lib/python3',
        ])
        assert.equal(made.code, 0, made.stderr)
        const unpacked = await store.helper.run([
          'tar',
          '--numeric-owner',
          '--xattrs',
          '-C',
          plain,
          '-xpf',
          tar,
        ])
        assert.equal(unpacked.code, 0, unpacked.stderr)

        const { diffId } = await store.snapshots.ingest(createReadStream(tar))
        const withoutParents = (lines: readonly string[]): readonly string[] =>
          lines.filter((line) => !/^directory "(share|lib)" /.test(line))

        const expected = withoutParents(await listing(store.trees, { directory: plain }))
        assert.ok(expected.length > 1000)
        assert.deepEqual(withoutParents(await merged(store, [diffId])), expected)
      })
    })
  }
})

const sized = (content: string | Buffer): string => {
  const bytes = Buffer.from(content)
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`
}

const regular = (path: string, content: string | Buffer): string =>
  `file ${JSON.stringify(path)} 644 0:0 1700000000.0  0:0 ${sized(content)}`

const attributes = [
  'security.capability=0100000200200000000000000000000000000000',
  `trusted.mark=${'01'.repeat(300)}`,
  `user.note=${Buffer.from('with spaces').toString('hex')}`,
].join(' ')
