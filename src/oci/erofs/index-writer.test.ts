import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  archive,
  directory,
  file,
  hardlink,
  opaque,
  pax,
  symlink,
  type Piece,
} from '#test/fixtures/archives/archive.ts'
import { sparse, type SparseFile } from '#test/fixtures/archives/sparse.ts'
import { LayerTree } from '../tar/layer-tree.ts'
import { TarParser } from '../tar/parser.ts'
import { indexObstacle, writeIndex } from './index-writer.ts'
import { BLOCK_SIZE } from './layout.ts'

const uuid = Buffer.alloc(16, 7)

function treeOf(bytes: Buffer): LayerTree {
  const tree = new LayerTree()
  const parser = new TarParser(tree)
  parser.push(bytes)
  parser.end()
  return tree
}

function indexOf(...pieces: readonly Piece[]): Buffer {
  const bytes = archive(...pieces)
  return writeIndex(treeOf(bytes), { tarSize: bytes.length, uuid })
}

interface Inode {
  readonly at: number
  readonly layout: number
  readonly mode: number
  readonly size: number
  readonly union: number
  readonly links: number
  /** Where inline content begins. */
  readonly body: number
}

/** As the kernel reads an extended inode, written from the format's description alone. */
function inodeAt(image: Buffer, nid: number): Inode {
  const at = nid * 32
  const format = image.readUInt16LE(at)
  assert.equal(format & 1, 1)
  const count = image.readUInt16LE(at + 2)
  return {
    at,
    layout: format >> 1,
    mode: image.readUInt16LE(at + 4),
    size: Number(image.readBigUInt64LE(at + 8)),
    union: image.readUInt32LE(at + 16),
    links: image.readUInt32LE(at + 44),
    body: at + 64 + (count === 0 ? 0 : 12 + (count - 1) * 4),
  }
}

function bodyOf(image: Buffer, inode: Inode): Buffer {
  const start = inode.layout === 2 ? inode.body : inode.union * BLOCK_SIZE
  if (inode.layout === 2)
    assert.ok((start % BLOCK_SIZE) + inode.size <= BLOCK_SIZE, 'inline content crosses a block')
  return image.subarray(start, start + inode.size)
}

function entriesOf(image: Buffer, nid: number): ReadonlyMap<string, number> {
  const body = bodyOf(image, inodeAt(image, nid))
  const entries: [string, number][] = []
  for (let block = 0; block < body.length; block += BLOCK_SIZE) {
    const bytes = body.subarray(block, block + BLOCK_SIZE)
    const count = bytes.readUInt16LE(8) / 12
    for (let i = 0; i < count; i++) {
      const start = bytes.readUInt16LE(i * 12 + 8)
      const end = i + 1 < count ? bytes.readUInt16LE(i * 12 + 20) : bytes.length
      const name = bytes.toString('latin1', start, end).replace(/\0+$/, '')
      entries.push([name, Number(bytes.readBigUInt64LE(i * 12))])
    }
  }
  const names = entries.map(([name]) => name)
  assert.deepEqual(names, names.toSorted(), 'entries are not in the order of their bytes')
  return new Map(entries)
}

const rootOf = (image: Buffer): number => image.readUInt16LE(1024 + 14)

function find(image: Buffer, path: string): Inode {
  let nid = rootOf(image)
  for (const name of path.split('/')) nid = entriesOf(image, nid).get(name)!
  return inodeAt(image, nid)
}

describe('writeIndex()', () => {
  it('gives every name an entry that leads to its inode, however many and long the names are', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .map((text) => text.replace(/[\0/]/g, '_').toWellFormed())
      .filter((text) => !/^\.{1,2}$|^\.wh\./.test(text) && Buffer.byteLength(text) <= 95)
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 80 }), (names) => {
        const image = indexOf(directory('d'), ...names.map((each, i) => file(`d/${each}`, 'x'.repeat(i))))
        const root = rootOf(image)
        const top = entriesOf(image, root)
        const entries = entriesOf(image, top.get('d')!)
        assert.equal(entries.get('..'), root)
        assert.equal(entries.size, names.length + 2)
        for (const [i, each] of names.entries()) {
          const bytes = Buffer.from(each).toString('latin1')
          assert.equal(inodeAt(image, entries.get(bytes)!).size, i)
        }
      }),
    )
  })

  it('points one chunk at the content in the tar', () => {
    const image = indexOf(file('a', 'x'), file('b', Buffer.alloc(5000)))
    const { layout, union, body, size } = find(image, 'b')
    const entry = Math.ceil(body / 8) * 8
    assert.deepEqual([layout, union, size], [4, 0x20 | 4, 5000])
    assert.deepEqual([image.readUInt16LE(entry + 2), image.readUInt32LE(entry + 4)], [1, 3])
  })

  it('counts links, shares the inode of hard links, and keeps no inode of what was replaced', () => {
    const image = indexOf(
      directory('d/e'),
      file('a', 'x'),
      hardlink('d/b', 'a'),
      file('gone'),
      symlink('gone', 'a'),
    )
    assert.equal(find(image, 'a').at, find(image, 'd/b').at)
    assert.equal(find(image, 'a').links, 2)
    assert.equal(find(image, 'd').links, 3)
    assert.equal(image.readBigUInt64LE(1024 + 16), 5n)
  })

  it('places symlink targets of every length', () => {
    for (let length = 1; length < 1200; length += 7) {
      const target = 't'.repeat(length)
      const image = indexOf(symlink('a', 'x'), pax([['linkpath', target]]), symlink('b', 'x'))
      assert.equal(bodyOf(image, find(image, 'b')).toString(), target)
    }
  })

  it('writes equal bytes for equal layers', () => {
    const pieces = [
      pax([
        ['SCHILY.xattr.user.b', '1'],
        ['SCHILY.xattr.user.a', '2'],
      ]),
      file('f', 'x'),
      opaque('d'),
      file('d/g'),
    ]
    assert.deepEqual(indexOf(...pieces), indexOf(...pieces))
  })
})

describe('indexObstacle()', () => {
  const obstacle = (...pieces: readonly Piece[]): string | undefined =>
    indexObstacle(treeOf(archive(...pieces)), 1 << 20)
  const region = (offset: number, length: number) => ({ offset, data: Buffer.alloc(length, 1) })
  const example = (size: number, ...regions: SparseFile['regions']): Piece =>
    sparse('1.0', { name: 's', size, regions })

  it('finds none in ordinary layers and in sparse files with holes of whole blocks', () => {
    assert.equal(obstacle(file('a', 'x'), symlink('b', 'a')), undefined)
    assert.equal(obstacle(example(10_000, region(512, 1024), region(8192, 1808))), undefined)
    assert.equal(obstacle(example(2 ** 44)), undefined)
  })

  it('names what an index cannot express', () => {
    assert.match(obstacle(hardlink('a', 'lower'))!, /hard link to a file of a lower layer/)
    assert.match(obstacle(example(10_000, region(100, 100)))!, /sparse file/)
    assert.match(obstacle(example(10_000, region(0, 100), region(512, 512)))!, /sparse file/)
    assert.match(obstacle(example(2 ** 40, region(512, 512)))!, /sparse file/)
    assert.match(
      obstacle(pax([['SCHILY.xattr.user.a', Buffer.alloc(65_536)]]), file('a'))!,
      /extended attribute/,
    )
    assert.match(indexObstacle(treeOf(archive()), 2 ** 41)!, /2 TiB/)
  })
})
