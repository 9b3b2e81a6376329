import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import type { TarEntry } from '#oci/tar/entry.ts'
import { writeTar } from '#oci/tar/write-tar.ts'
import type { FileSource, SourceFile, WalkOptions } from './file-source.ts'

/** What matters of a file; with `content` it is a regular one, otherwise a directory unless `type` says what. */
export type Sketch = Partial<TarEntry> & { readonly path: string; readonly content?: string }

export interface SourceUnderTest {
  readonly name: string
  /** A source with these files, parents first; nothing else is in it. Disposing it removes all. */
  readonly open: (files: readonly Sketch[]) => Promise<FileSource>
  /** Git keeps neither empty directories nor hard links, and of modes only whether a file is a program. */
  readonly isGit?: boolean
}

export function entryOf({ content, ...rest }: Sketch): TarEntry {
  return {
    type: content === undefined ? 'directory' : 'file',
    mode: content === undefined ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
    size: Buffer.byteLength(content ?? ''),
    ...rest,
  }
}

export function tarOf(files: readonly Sketch[]): AsyncIterable<Uint8Array> {
  return writeTar(
    files.map((file) => ({ entry: entryOf(file), data: file.content ? [Buffer.from(file.content)] : [] })),
  )
}

/** `path`, `path=content`, `path -> link`, in the order of the walk. */
export async function sketchOf(
  source: FileSource,
  path = '',
  options?: WalkOptions,
): Promise<readonly string[]> {
  const found: string[] = []
  for await (const file of source.walk(path, options)) {
    const { type, path: at, link } = file.attributes
    if (at === '') continue
    if (type === 'file') found.push(`${at}=${await contentOf(file)}`)
    else found.push(link === undefined ? at : `${at} -> ${link}`)
  }
  return found
}

export async function contentOf(file: SourceFile | undefined): Promise<string | undefined> {
  return file && Buffer.concat(await Array.fromAsync(file.read())).toString()
}

/** What every `FileSource` promises. */
export function sourceSuite(kind: SourceUnderTest): void {
  const { open, isGit = false } = kind
  const link = (path: string, target: string): Sketch => ({ path, type: 'symlink', link: target })

  describe(kind.name, () => {
    it('walks directories before what is in them, and names in the order of their bytes', async () => {
      await using source = await open([
        { path: 'B', content: '1' },
        { path: 'a' },
        { path: 'a/x', content: '2' },
        { path: 'a-b', content: '3' },
        { path: 'a.b', content: '4' },
        { path: 'é', content: '5' },
        { path: '\uffee', content: '6' },
        { path: '\u{10000}', content: '7' },
      ])

      assert.deepEqual(await sketchOf(source), [
        'B=1',
        'a',
        'a/x=2',
        'a-b=3',
        'a.b=4',
        'é=5',
        '\uffee=6',
        '\u{10000}=7',
      ])
    })

    it('begins with the root, a directory', async () => {
      await using source = await open([{ path: 'f', content: '' }])

      const [root] = await Array.fromAsync(source.walk(''))

      assert.equal(root?.attributes.path, '')
      assert.equal(root?.attributes.type, 'directory')
      assert.equal((await source.find(''))?.attributes.type, 'directory')
    })

    it('tells types, modes, sizes and targets, and shows everything as root’s', async () => {
      await using source = await open([
        { path: 'd' },
        { path: 'd/link', type: 'symlink', link: '../nowhere', mode: 0o777 },
        { path: 'd/run', content: '#!/bin/sh\n', mode: 0o755 },
        { path: 'd/text', content: 'text' },
      ])

      const found = await Array.fromAsync(source.walk('d'), ({ attributes }) => {
        const { type, mode, uid, gid, size, link: target } = attributes
        return [type, type === 'symlink' ? 0 : mode, uid, gid, size, target]
      })

      assert.deepEqual(found, [
        ['directory', 0o755, 0, 0, 0, undefined],
        ['symlink', 0, 0, 0, 0, '../nowhere'],
        ['file', 0o755, 0, 0, 10, undefined],
        ['file', 0o644, 0, 0, 4, undefined],
      ])
    })

    it('keeps all bits of modes, times, and hard links', { skip: isGit }, async () => {
      const mtime = { seconds: 1_600_000_000, nanoseconds: 500_000_000 }
      await using source = await open([
        { path: 'd', mode: 0o1777 },
        { path: 'd/first', content: 'shared', mode: 0o4750, mtime },
        { path: 'd/second', type: 'hardlink', link: 'd/first' },
        { path: 'd/third', type: 'hardlink', link: 'd/first' },
        { path: 'pipe', type: 'fifo', mode: 0o600 },
      ])

      const files = await Array.fromAsync(source.walk(''), ({ attributes }) => attributes)
      const at = (path: string) => files.find((file) => file.path === path)

      assert.equal(at('d')?.mode, 0o1777)
      assert.equal(at('d/first')?.mode, 0o4750)
      assert.deepEqual(at('d/first')?.mtime, mtime)
      assert.deepEqual([at('d/second')?.type, at('d/second')?.link], ['hardlink', 'd/first'])
      assert.deepEqual([at('d/third')?.type, at('d/third')?.link], ['hardlink', 'd/first'])
      assert.equal(at('pipe')?.type, 'fifo')
      assert.equal(await contentOf(await source.find('d/second')), 'shared')
      assert.deepEqual(await sketchOf(source, 'd/third'), ['d/third=shared'])
    })

    it('walks a part, a single file, and nothing where there is nothing', async () => {
      await using source = await open([
        { path: 'a' },
        { path: 'a/b' },
        { path: 'a/b/c', content: '1' },
        { path: 'a/bc', content: '2' },
        { path: 'ab', content: '3' },
        link('l', 'a'),
      ])

      assert.deepEqual(await sketchOf(source, 'a/b'), ['a/b', 'a/b/c=1'])
      assert.deepEqual(await sketchOf(source, 'ab'), ['ab=3'])
      assert.deepEqual(await sketchOf(source, 'l'), ['l -> a'])
      for (const nowhere of ['x', 'a/x', 'ab/x', 'a/b/c/d', 'x'.repeat(300), 'a/x'.repeat(2000)]) {
        assert.deepEqual(await sketchOf(source, nowhere), [], nowhere)
        assert.equal(await source.find(nowhere), undefined, nowhere)
      }
    })

    it('does not enter directories that it is told to leave out', async () => {
      await using source = await open([
        { path: 'a' },
        { path: 'a/b' },
        { path: 'a/b/c', content: '1' },
        { path: 'a/b-', content: '2' },
        { path: 'z', content: '3' },
      ])

      const without = (directory: string) => sketchOf(source, '', { descend: (path) => path !== directory })
      assert.deepEqual(await without('a/b'), ['a', 'a/b', 'a/b-=2', 'z=3'])
      assert.deepEqual(await without('a'), ['a', 'z=3'])
      assert.deepEqual(await sketchOf(source, '', { descend: () => false }), [])
      assert.deepEqual(await sketchOf(source, 'a', { descend: () => false }), ['a'])
    })

    it('follows symlinks inside the root, wherever they point', async () => {
      await using source = await open([
        { path: 'd' },
        { path: 'd/e' },
        { path: 'd/e/f', content: 'found' },
        link('absolute', '/d/e'),
        link('above', '../../../d'),
        link('d/e/up', '../../absolute/f'),
        link('dangling', 'd/nothing'),
        link('file', './d//e/./f'),
        link('loop', 'loop'),
        link('outside', '/etc/passwd'),
      ])

      for (const path of ['absolute/f', 'above/e/f', 'd/e/up', 'file', 'above/e/up']) {
        const file = await source.find(path)
        assert.equal(file?.attributes.path, 'd/e/f', path)
        assert.equal(await contentOf(file), 'found')
      }
      assert.equal((await source.find('absolute'))?.attributes.path, 'd/e')
      assert.equal(await source.find('dangling'), undefined)
      assert.equal(await source.find('outside'), undefined)
      assert.equal(await source.find('file/x'), undefined)
      await assert.rejects(source.find('loop'), (error) => isKind(error, 'invalid_argument'))
    })

    it('reads and digests contents of every size', async () => {
      const contents = ['', 'x', 'y'.repeat(128 << 10), 'z'.repeat((128 << 10) + 1), 'Z'.repeat(3_000_000)]
      await using source = await open(contents.map((content, i) => ({ path: `f${i}`, content })))

      for (const [i, content] of contents.entries()) {
        const file = await source.find(`f${i}`)
        assert.equal(await file?.digest(), digestOf(content))
        assert.equal(await contentOf(file), content)
        assert.equal(await file?.digest(), digestOf(content))
      }
      const root = await source.find('')
      assert.equal(await root?.digest(), digestOf(''))
      assert.equal(await contentOf(root), '')
    })

    it('reads several files at once, in any order, also after the walk', async () => {
      const names = Array.from({ length: 20 }, (_, i) => `f${String(i).padStart(2, '0')}`)
      await using source = await open(
        names.flatMap((name) => [
          { path: `d${name}` },
          { path: `d${name}/${name}`, content: name.repeat(9) },
        ]),
      )

      const files = (await Array.fromAsync(source.walk(''))).filter(
        ({ attributes }) => attributes.type === 'file',
      )
      const read = await Promise.all(files.toReversed().map((file) => contentOf(file)))

      assert.deepEqual(
        read.toReversed(),
        names.map((name) => name.repeat(9)),
      )
    })

    it('stops when the signal is aborted', async () => {
      await using source = await open([
        { path: 'a', content: '' },
        { path: 'b', content: '' },
      ])
      const signal = AbortSignal.abort(new Error('enough'))

      await assert.rejects(sketchOf(source, '', { signal }), /enough/)
    })
  })
}
