import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import type { TreeEntry, TreeRecord, TreeRoot, Trees, WriteTreeOptions } from './tree.ts'

/** Trees and an empty root to use them on, which goes when disposed. */
export interface TreesUnderTest extends AsyncDisposable {
  readonly trees: Trees
  readonly root: TreeRoot
}

type Sketch = Partial<TreeRecord> & Pick<TreeRecord, 'path'> & { readonly content?: string }

/** A record from what matters about it: a file with `content`, or a directory unless `type` says otherwise. */
export function entry({ content, ...record }: Sketch): TreeEntry {
  const data = Buffer.from(content ?? '')
  return {
    record: {
      type: content === undefined ? 'directory' : 'file',
      mode: content === undefined ? 0o755 : 0o644,
      uid: 0,
      gid: 0,
      mtime: { seconds: 1_700_000_000, nanoseconds: 123_456_789 },
      size: data.length,
      ...record,
    },
    data: (async function* () {
      if (data.length > 0) yield data
    })(),
  }
}

export async function* stream(...sketches: readonly Sketch[]): AsyncGenerator<TreeEntry> {
  for (const sketch of sketches) yield entry(sketch)
}

/** All entries with their content as text. */
export async function listing(
  entries: AsyncIterable<TreeEntry>,
): Promise<readonly { readonly record: TreeRecord; readonly content: string }[]> {
  const found = []
  for await (const { record, data } of entries) {
    found.push({ record, content: Buffer.concat(await Array.fromAsync(data)).toString() })
  }
  return found
}

/** `path`, or `path=content` for a file, `path -> link` for a link. */
export async function sketchOf(entries: AsyncIterable<TreeEntry>): Promise<readonly string[]> {
  return (await listing(entries)).map(({ record, content }) => {
    if (record.link !== undefined) return `${record.path} -> ${record.link}`
    return record.type === 'file' ? `${record.path}=${content}` : record.path
  })
}

/** What every implementation of `Trees` promises. */
export function treesSuite(name: string, open: () => Promise<TreesUnderTest>): void {
  describe(name, () => {
    const all = { name: '' }

    it('reads back what was written, parents first and names in byte order', async () => {
      await using at = await open()
      const written = [
        entry({ path: 'B', content: 'big' }),
        entry({ path: 'a', mode: 0o1777, uid: 5, gid: 6 }),
        entry({ path: 'a/file', content: 'text', mode: 0o4755, uid: 1000, gid: 1000 }),
        entry({ path: 'a/link', type: 'symlink', link: '../B', mode: 0o777 }),
        entry({ path: 'a/pipe', type: 'fifo', mode: 0o600 }),
        entry({ path: 'a/zero', type: 'char', major: 1, minor: 5, mode: 0o666 }),
        entry({ path: 'empty', content: '' }),
      ]

      await at.trees.write(at.root, '/', stream(...(await listing(from(written))).map(sketchBack)))

      assert.deepEqual(
        (await listing(at.trees.read(at.root, '/', all))).map(({ record }) => record),
        written.map(({ record }) => record),
      )
      assert.deepEqual(await sketchOf(at.trees.read(at.root, '/a', { name: 'renamed' })), [
        'renamed',
        'renamed/file=text',
        'renamed/link -> ../B',
        'renamed/pipe',
        'renamed/zero',
      ])
    })

    it('gives a hard link as such after its first name', async () => {
      await using at = await open()
      const link = { path: 'b', type: 'hardlink', link: 'a' } as const

      await at.trees.write(at.root, '/', stream({ path: 'a', content: 'shared' }, link))

      assert.deepEqual(await sketchOf(at.trees.read(at.root, '/', all)), ['a=shared', 'b -> a'])
      assert.deepEqual(await sketchOf(at.trees.read(at.root, '/b')), ['b=shared'])
    })

    it('makes missing parents, merges directories and replaces the rest', async () => {
      await using at = await open()
      await at.trees.write(
        at.root,
        '/',
        stream({ path: 'd/old', content: '1' }, { path: 'f', content: '2' }, { path: 'g/h', content: '3' }),
      )

      await at.trees.write(
        at.root,
        '/',
        stream(
          { path: 'd', mode: 0o700 },
          { path: 'd/new', content: '4' },
          { path: 'f' },
          { path: 'g', content: '5' },
        ),
      )

      assert.deepEqual(await sketchOf(at.trees.read(at.root, '/', all)), [
        'd',
        'd/new=4',
        'd/old=1',
        'f',
        'g=5',
      ])
      assert.equal((await at.trees.stat(at.root, '/d')).mode, 0o700)
      assert.equal((await at.trees.stat(at.root, '/f')).mode, 0o755)
    })

    it('refuses to exchange directories and others with noReplace', async () => {
      await using at = await open()
      await at.trees.write(at.root, '/', stream({ path: 'd/x', content: '1' }, { path: 'f', content: '2' }))
      const strict: WriteTreeOptions = { noReplace: true }

      await assert.rejects(
        at.trees.write(at.root, '/', stream({ path: 'd', content: '' }), strict),
        /cannot overwrite directory "d" with non-directory "d"/,
      )
      await assert.rejects(
        at.trees.write(at.root, '/', stream({ path: 'f' }), strict),
        /cannot overwrite non-directory "f" with directory "f"/,
      )

      assert.deepEqual(await sketchOf(at.trees.read(at.root, '/', all)), ['d', 'd/x=1', 'f=2'])
    })

    it('gives everything one owner when asked to', async () => {
      await using at = await open()

      await at.trees.write(at.root, '/', stream({ path: 'd/f', content: '', uid: 7, gid: 8 }), {
        owner: { uid: 33, gid: 44 },
      })

      const { uid, gid } = await at.trees.stat(at.root, '/d/f')
      assert.deepEqual([uid, gid], [33, 44])
    })

    it('deletes by whiteouts and empties opaque directories outside a layer', async () => {
      await using at = await open()
      await at.trees.write(
        at.root,
        '/',
        stream(
          { path: 'd/x', content: '1' },
          { path: 'gone/y', content: '2' },
          { path: 'stays', content: '3' },
        ),
      )

      await at.trees.write(
        at.root,
        '/',
        stream(
          { path: 'gone', type: 'whiteout' },
          { path: 'never/was', type: 'whiteout' },
          { path: 'd', opaque: true },
          { path: 'd/z', content: '4' },
        ),
      )

      assert.deepEqual(await sketchOf(at.trees.read(at.root, '/', all)), ['d', 'd/z=4', 'stays=3'])
    })

    it('follows a symlink at the path only when asked to, and on the way inside the root', async () => {
      await using at = await open()
      await at.trees.write(
        at.root,
        '/',
        stream({ path: 'd/f', content: 'x' }, { path: 'l', type: 'symlink', link: '/d' }),
      )

      assert.equal((await at.trees.stat(at.root, '/l')).type, 'symlink')
      assert.equal((await at.trees.stat(at.root, '/l', { follow: true })).type, 'directory')
      assert.equal((await at.trees.stat(at.root, '/l/f')).size, 1)
      await at.trees.write(at.root, '/l', stream({ path: 'g', content: 'y' }))
      assert.deepEqual(await sketchOf(at.trees.read(at.root, '/l', { follow: true })), [
        'l',
        'l/f=x',
        'l/g=y',
      ])
      assert.deepEqual(await sketchOf(at.trees.read(at.root, '/l')), ['l -> /d'])
    })

    it('says not_found for what is not there, and invalid_argument for a target that is no directory', async () => {
      await using at = await open()
      await at.trees.write(at.root, '/', stream({ path: 'f', content: '' }))

      const notFound = (error: unknown): boolean => isKind(error, 'not_found')
      await assert.rejects(at.trees.stat(at.root, '/nope'), notFound)
      await assert.rejects(listing(at.trees.read(at.root, '/nope')), notFound)
      await assert.rejects(at.trees.write(at.root, '/nope', stream()), notFound)
      await assert.rejects(at.trees.write(at.root, '/f', stream()), (error) =>
        isKind(error, 'invalid_argument'),
      )
    })

    it('refuses paths that are absolute, empty or climb', async () => {
      await using at = await open()
      for (const path of ['/abs', '../up', 'a/../../up', 'a//b', './a', 'a/.', 'a/']) {
        await assert.rejects(
          at.trees.write(at.root, '/', stream({ path, content: '' })),
          (error) => isKind(error, 'invalid_argument'),
          path,
        )
      }
      await assert.rejects(at.trees.write(at.root, '/', stream({ path: '', content: '' })))
      await assert.rejects(
        at.trees.write(at.root, '/', stream({ path: 'h', type: 'hardlink', link: '../../etc/passwd' })),
        (error) => isKind(error, 'invalid_argument'),
      )
      assert.deepEqual(await sketchOf(at.trees.read(at.root, '/', all)), [])
    })

    it('skips data that the reader leaves', async () => {
      await using at = await open()
      await at.trees.write(
        at.root,
        '/',
        stream({ path: 'a', content: 'x'.repeat(300_000) }, { path: 'b', content: 'end' }),
      )
      const paths = []

      for await (const { record } of at.trees.read(at.root, '/', all)) paths.push(record.path)

      assert.deepEqual(paths, ['a', 'b'])
    })

    it('ends with the source when that fails, and with the reason when it is aborted', async () => {
      await using at = await open()
      const failing = async function* (): AsyncGenerator<TreeEntry> {
        yield entry({ path: 'first', content: '1' })
        throw new Error('the source broke')
      }
      await assert.rejects(at.trees.write(at.root, '/', failing()), /the source broke/)

      const controller = new AbortController()
      const endless = async function* (): AsyncGenerator<TreeEntry> {
        for (let i = 0; ; i++) {
          if (i === 100) controller.abort(new Error('enough'))
          yield entry({ path: `f${i}`, content: 'x' })
        }
      }
      const { signal } = controller
      await assert.rejects(at.trees.write(at.root, '/', endless(), { signal }), /enough/)
      await assert.rejects(listing(at.trees.read(at.root, '/', { ...all, signal })), /enough/)
    })
  })
}

async function* from(entries: readonly TreeEntry[]): AsyncGenerator<TreeEntry> {
  yield* entries
}

function sketchBack({ record, content }: { record: TreeRecord; content: string }): Sketch {
  return record.type === 'file' ? { ...record, content } : record
}
