import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import * as tar from '#test/fixtures/archives/archive.ts'
import { added, CopyWorld } from './copy-world.fixture.ts'
import { directory, file, MemoryTree, symlink } from './memory-tree.fixture.ts'
import { type Member, naiveCopy, naiveUnpack } from './naive-copy.fixture.ts'

const name = fc.constantFrom('a', 'b', 'c')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
const target = fc
  .tuple(fc.constantFrom('', '/', '../', '../../', '../../../', './'), path)
  .map(([before, after]) => `${before}${after}`)
const ids = fc.nat(3)
const someFile = fc
  .tuple(fc.constantFrom('x', 'y', ''), fc.constantFrom(0o644, 0o600, 0o4755), ids)
  .map(([content, mode, uid]) => file(content, { mode, uid, gid: uid }))
const someDirectory = fc
  .tuple(fc.constantFrom(0o755, 0o700, 0o1777), ids)
  .map(([mode, uid]) => directory({ mode, uid, gid: uid }))
const someSymlink = target.map((link) => symlink(link))
const someNode = fc.oneof(
  { weight: 3, arbitrary: someFile },
  { weight: 3, arbitrary: someDirectory },
  { weight: 1, arbitrary: someSymlink },
)

/** What cannot be at a path, because something else is above it, is left out; some files have two names. */
const someTree = fc
  .tuple(
    fc.array(fc.tuple(path, someNode), { maxLength: 12 }),
    fc.array(fc.tuple(path, path), { maxLength: 2 }),
  )
  .map(([nodes, links]) => {
    const tree = new MemoryTree()
    for (const [at, node] of nodes) if (fits(tree, at)) tree.set(at, node)
    for (const [from, to] of links) {
      const node = tree.files.get(from)
      if (node?.type === 'file' && fits(tree, to)) tree.set(to, node)
    }
    return tree
  })

function withoutLinks(tree: MemoryTree): MemoryTree {
  return new MemoryTree(Object.fromEntries(Array.from(tree.files, ([at, node]) => [at, { ...node }])))
}

function fits(tree: MemoryTree, at: string): boolean {
  const parts = at.split('/')
  const above = parts.map((_, i) => tree.files.get(parts.slice(0, i).join('/')))
  return !tree.files.has(at) && above.every((node) => node === undefined || node.type === 'directory')
}

const source = fc.oneof(path, fc.constantFrom('.', '*', 'a*', 'a/*', 'b/*', '../a'))
const destination = fc
  .tuple(fc.oneof(path, fc.constant('')), fc.boolean())
  .map(([at, slash]) => `/${at}${slash && at !== '' ? '/' : ''}`)

/** Both or neither; then the same. */
async function same(world: CopyWorld, work: () => Promise<unknown>, naive: (tree: MemoryTree) => void) {
  const expected = world.root.copy()
  const before = world.root.listing()
  let failure: unknown
  try {
    naive(expected)
  } catch (error) {
    failure = error
  }
  if (failure === undefined) {
    const changed = await work()
    assert.deepEqual(world.root.listing(), expected.listing())
    if (changed === undefined) assert.deepEqual(world.root.listing(), before)
    return true
  }
  await assert.rejects(work)
  assert.deepEqual(world.root.listing(), before)
  return false
}

describe('layers of COPY', () => {
  it('on those below are what a copy into the root filesystem would be', async () => {
    let done = 0
    await fc.assert(
      fc.asyncProperty(
        someTree,
        someTree,
        fc.array(source, { minLength: 1, maxLength: 3 }),
        destination,
        fc.option(ids, { nil: undefined }),
        fc.option(fc.constantFrom(0o711, 0o600), { nil: undefined }),
        async (context, below, sources, to, owner, mode) => {
          const world = new CopyWorld(context, below)
          const options = {
            ...(owner === undefined ? {} : { chown: `${owner}` }),
            ...(mode === undefined ? {} : { chmod: mode.toString(8) }),
          }
          const naive = (tree: MemoryTree): void =>
            naiveCopy(context, tree, sources, to, {
              ...(owner === undefined ? {} : { owner }),
              ...(mode === undefined ? {} : { mode }),
            })
          if (await same(world, () => world.copy(sources, to, options), naive)) done++
        },
      ),
      { numRuns: 500 },
    )
    // Not all of them are errors.
    assert.ok(done > 80, `${done}`)
  })

  it('hold only clean names, and every directory before what is in it', async () => {
    await fc.assert(
      fc.asyncProperty(
        someTree,
        someTree,
        source,
        destination,
        fc.boolean(),
        async (context, below, from, to, link) => {
          const world = new CopyWorld(context, below)
          const layer = await world.copy([from], to, { link }).catch(() => undefined)
          if (layer === undefined) return
          const names = await world.names(layer)
          for (const [i, each] of names.entries()) {
            assert.match(each, /^(?:[abc]|[abc]\/)+$/)
            const above = each.slice(0, Math.max(each.lastIndexOf('/'), 0))
            assert.ok(above === '' || names.slice(0, i).includes(above))
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('with the same digest for the same files, and another for others', async () => {
    await fc.assert(
      fc.asyncProperty(someTree, someTree, async (one, two) => {
        const inspected = async (tree: MemoryTree): Promise<string> =>
          (await new CopyWorld(tree).inspect(['.'], '/')).digest
        const equal = JSON.stringify(one.listing()) === JSON.stringify(two.listing())
        assert.equal((await inspected(one)) === (await inspected(two)), equal)
      }),
      { numRuns: 300, examples: [[new MemoryTree({ a: file() }), new MemoryTree({ a: file() })]] },
    )
  })
})

const someMember: fc.Arbitrary<Member> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(path, someNode).map(([at, node]) => ({ path: at, file: node })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(path, path)
      .map(([at, link]) => ({ path: at, file: { type: 'hardlink' as const, link } })),
  },
)

function pieceOf({ path: at, file: node }: Member): tar.Piece {
  if (node.type === 'hardlink') return tar.hardlink(at, node.link)
  const { mode, uid, gid } = node
  if (node.type === 'directory') return tar.directory(at, { mode, uid, gid })
  if (node.type === 'symlink') return tar.symlink(at, node.link ?? '', { uid, gid })
  return tar.file(at, node.content, { mode, uid, gid })
}

describe('layers of ADD', () => {
  it('on those below are what unpacking into the root filesystem would be', async () => {
    let done = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(someMember, { minLength: 1, maxLength: 8 }),
        // A file below that comes into the layer does so under the names that are asked for; overlayfs does not else either.
        someTree.map(withoutLinks),
        destination,
        async (members, below, to) => {
          const content = tar.archive(...members.map(pieceOf))
          const world = new CopyWorld(new MemoryTree({ 'a.tar': { ...file(), content } }), below)
          const naive = (tree: MemoryTree): void => naiveUnpack(tree, members, to)
          if (await same(world, () => world.copy([added('a.tar')], to), naive)) done++
        },
      ),
      { numRuns: 500 },
    )
    assert.ok(done > 80, `${done}`)
  })

  it('changes nothing outside of the destination, whatever the archive says', async () => {
    const part = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'etc', '.', '') },
      { weight: 1, arbitrary: fc.constantFrom('..', '../..', '.wh.a', '.wh..wh..opq') },
    )
    const hostile = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'))
    const piece = fc.oneof(
      hostile.map((at) => tar.file(at, 'evil')),
      hostile.map((at) => tar.directory(at, { mode: 0o700 })),
      fc.tuple(hostile, hostile).map(([at, to]) => tar.symlink(at, to)),
      fc.tuple(hostile, hostile).map(([at, to]) => tar.hardlink(at, to)),
      hostile.map((at) => tar.device(at, 'c', 0, 0)),
    )
    const outside = (tree: MemoryTree): readonly string[] =>
      tree.listing().filter((line) => !/^\d+ \d+:\d+ \w+ d(?:\/| |$)/.test(line))
    let done = 0
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 6 }), async (pieces) => {
        const below = new MemoryTree({
          'etc/a': file('a'),
          a: symlink('etc'),
          'd/a': symlink('/etc'),
          'd/b/a': symlink('../../etc'),
        })
        const before = outside(below)
        const content = tar.archive(...pieces)
        const world = new CopyWorld(new MemoryTree({ 'a.tar': { ...file(), content } }), below)
        const layer = await world.copy([added('a.tar')], '/d').catch(() => undefined)
        if (layer !== undefined) done++
        assert.deepEqual(outside(world.root), before)
      }),
      { numRuns: 1000 },
    )
    assert.ok(done > 50, `${done}`)
  })
})
