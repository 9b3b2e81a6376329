import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { context, copyStep, runStep, scratch, SolveWorld } from '#test/support/solve-world.ts'
import type { DownloadOrigin, Filesystem, GitOrigin, RunMount } from '../graph/operations.ts'
import type { FileSource, SourceFile } from '../sources/file-source.ts'
import { treeDigest } from './tree-digest.ts'

describe('what a step takes', () => {
  it('is not fetched to be known when it says itself what it is', async () => {
    const world = new SolveWorld()
    const opened: string[] = []
    const open = async (origin: { readonly kind: string }): Promise<FileSource> => {
      opened.push(origin.kind)
      return sourceOf([file('x', { content: '1' })])
    }
    const download: DownloadOrigin = { kind: 'download', url: 'https://example/x', checksum: digestOf('x') }
    const git: GitOrigin = {
      kind: 'git',
      remote: 'https://example/x.git',
      ref: 'a'.repeat(40),
      directory: undefined,
      checksum: undefined,
      keepGitDirectory: false,
      submodules: true,
    }
    const graph = (from: DownloadOrigin | GitOrigin) => copyStep(scratch, from, '.')
    for (const origin of [download, git]) {
      await world.build([graph(origin)], { open })
      opened.length = 0
      await world.build([graph(origin)], { open })
      assert.deepEqual(opened, [])
    }
    // Without that it is.
    for (const origin of [
      { ...download, checksum: undefined },
      { ...git, ref: 'main' },
    ]) {
      await world.build([graph(origin)], { open })
      opened.length = 0
      await world.build([graph(origin)], { open })
      assert.deepEqual(opened, [origin.kind])
    }
  })

  it('is looked at once for steps that take the same', async () => {
    const world = new SolveWorld()
    let opened = 0
    const open = async (): Promise<FileSource> => {
      opened++
      return sourceOf([file('a', { content: '1' })])
    }
    const step = (on: Filesystem) => copyStep(on, context, 'a')
    // As for two platforms: it is opened for its state, to be looked at, and to be copied twice.
    await world.build([step(await world.image('one')), step(await world.image('two'))], { open })
    assert.equal(opened, 4)
    assert.equal(world.done.length, 2)
  })

  it('is not looked at again by a build that finds its state unchanged', async () => {
    const world = new SolveWorld()
    const walked: string[] = []
    let state = digestOf('state')
    const open = async (): Promise<FileSource> => {
      const source = sourceOf([file('a', { content: '1' }), file('b', { content: '1' })])
      const walk: FileSource['walk'] = (path, options) => {
        walked.push(path)
        return source.walk(path, options)
      }
      return { ...source, walk, state: async () => state }
    }
    const bind: RunMount = { type: 'bind', from: context, source: '/b', target: '/b', readOnly: true }
    const graph = () => runStep(copyStep(scratch, context, 'a'), 'make', { mounts: [bind] })
    await world.build([graph()], { open })
    walked.length = 0
    await world.build([graph()], { open })
    assert.deepEqual(walked, [])
    // Another step is another question, though the files are the same.
    await world.build([copyStep(scratch, context, 'a', { exclude: ['x'] })], { open })
    assert.deepEqual(new Set(walked), new Set(['a']))
    walked.length = 0
    state = digestOf('another')
    await world.build([graph()], { open })
    assert.deepEqual(new Set(walked), new Set(['a', 'b']))
  })

  it('is what a bind mount shows, and of a cache mount nothing', async () => {
    const world = new SolveWorld()
    const cache: RunMount = {
      type: 'cache',
      id: 'c',
      target: '/c',
      sharing: 'shared',
      from: context,
      source: '/a',
      readOnly: false,
      mode: 0o755,
      uid: 0,
      gid: 0,
    }
    const bind: RunMount = { type: 'bind', from: context, source: '/a', target: '/m', readOnly: true }
    const graph = (mount: RunMount) => runStep(scratch, 'make', { mounts: [mount] })
    for (const mount of [cache, bind]) await world.build([graph(mount)])
    world.done.length = 0
    world.files.set('a', '2')
    await world.build([graph(cache)])
    assert.deepEqual(world.done, [])
    await world.build([graph(bind)])
    assert.deepEqual(world.done, ['RUN make'])
    // What is beside it does not matter.
    world.files.set('b', '1')
    await world.build([graph(bind)])
    assert.equal(world.done.length, 1)
  })
})

interface FileChange {
  readonly content?: string
  readonly attributes?: Partial<SourceFile['attributes']>
}

function file(path: string, { content = '', attributes = {} }: FileChange = {}): SourceFile {
  return {
    attributes: {
      type: 'file',
      path,
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: { seconds: 0, nanoseconds: 0 },
      size: content.length,
      ...attributes,
    },
    digest: async () => digestOf(content),
    read: () => assert.fail('nothing is read'),
  }
}

function sourceOf(files: readonly SourceFile[]): FileSource {
  return {
    name: 'build context',
    async *walk(path) {
      yield* files.filter(({ attributes }) => `${attributes.path}/`.startsWith(path === '' ? '' : `${path}/`))
    },
    find: async (path) => files.find(({ attributes }) => attributes.path === path),
    root: async () => ({ join: 1, root: '/', path: '/' }),
    [Symbol.asyncDispose]: async () => undefined,
  }
}

describe('treeDigest()', () => {
  const directory = (path: string): SourceFile => file(path, { attributes: { type: 'directory' } })
  const digest = async (path: string, ...files: readonly SourceFile[]): Promise<string> =>
    (await treeDigest(sourceOf(files), path, { signal: new AbortController().signal })).digest

  it('is the same wherever the tree lies, and whenever it was written', async () => {
    const mtime = { seconds: 9, nanoseconds: 9 }
    const one = await digest('/d', directory('d'), file('d/a', { content: 'x' }))
    assert.equal(
      one,
      await digest('/e', directory('e'), file('e/a', { content: 'x', attributes: { mtime } })),
    )
  })

  it('is another one for every change that a process would see', async () => {
    const tree = (change: FileChange) => digest('/d', directory('d'), file('d/a', change))
    const seen = new Set([await tree({})])
    const changes: FileChange[] = [
      { content: 'y' },
      { attributes: { path: 'd/b' } },
      { attributes: { mode: 0o755 } },
      { attributes: { uid: 1 } },
      { attributes: { gid: 1 } },
      { attributes: { type: 'fifo' } },
      { attributes: { type: 'symlink', link: 'x' } },
      { attributes: { type: 'symlink', link: 'y' } },
      { attributes: { type: 'hardlink', link: 'd/x' } },
      { attributes: { type: 'char', major: 1, minor: 3 } },
      { attributes: { type: 'char', major: 1, minor: 5 } },
      { attributes: { xattrs: new Map([['user.a', Buffer.from('1')]]) } },
      { attributes: { xattrs: new Map([['user.a', Buffer.from('2')]]) } },
    ]
    for (const change of changes) seen.add(await tree(change))
    assert.equal(seen.size, changes.length + 1)
    assert.ok(!seen.has(await digest('/d', directory('d'))))
  })

  it('says what is missing', async () => {
    await assert.rejects(digest('/nothing', directory('d')), /"\/nothing": not found/)
  })
})
