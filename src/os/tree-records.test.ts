import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import {
  bytesOfText,
  decodeEntries,
  decodeRecord,
  encodeEntries,
  encodeRecord,
  textOfBytes,
} from './tree-records.ts'
import type { TreeEntry, TreeRecord } from './tree.ts'

const plainObject = { noNullPrototype: true } as const
const u32 = fc.nat({ max: 0xffffffff })
const name = fc
  .uint8Array({ minLength: 1, maxLength: 30 })
  .map((bytes) => textOfBytes(bytes.map((byte) => (byte === 0 ? 1 : byte))))

const file = fc.record({
  record: fc.record({
    type: fc.constant('file' as const),
    path: name,
    mode: fc.nat({ max: 0o7777 }),
    uid: u32,
    gid: u32,
    mtime: fc.record(
      { seconds: fc.maxSafeInteger(), nanoseconds: fc.nat({ max: 999_999_999 }) },
      plainObject,
    ),
    size: fc.constant(0),
  }),
  content: fc.uint8Array({ maxLength: 200 }),
})

const other = fc
  .record({
    base: file,
    kind: fc.constantFrom('directory', 'symlink', 'hardlink', 'char', 'block', 'fifo', 'whiteout'),
    link: name,
    major: u32,
    minor: u32,
  })
  .map(({ base, kind, link, major, minor }) => ({
    record: {
      ...base.record,
      type: kind,
      ...(kind === 'symlink' || kind === 'hardlink' ? { link } : {}),
      ...(kind === 'char' || kind === 'block' ? { major, minor } : {}),
      ...(kind === 'directory' && major % 2 === 1 ? { opaque: true } : {}),
    },
    content: new Uint8Array(),
  }))

const entry = fc
  .tuple(
    fc.oneof(file, other),
    fc.dictionary(name, fc.uint8Array({ maxLength: 20 }), { maxKeys: 3, noNullPrototype: true }),
  )
  .map(([{ record, content }, attributes]): { record: TreeRecord; content: Uint8Array } => {
    const xattrs = new Map(Object.entries(attributes))
    return { record: { ...record, size: content.length, ...(xattrs.size === 0 ? {} : { xattrs }) }, content }
  })

async function* entriesOf(
  items: readonly { record: TreeRecord; content: Uint8Array }[],
): AsyncGenerator<TreeEntry> {
  for (const { record, content } of items) yield { record, data: chunksOf(content, 7) }
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks))
}

describe('decodeEntries()', () => {
  it('gives back what encodeEntries() was given, however the stream is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 6 }),
        fc.integer({ min: 1, max: 99 }),
        async (items, size) => {
          const stream = await bytesOf(encodeEntries(entriesOf(items)))
          const found: { record: TreeRecord; content: Uint8Array }[] = []
          for await (const { record, data } of decodeEntries(chunksOf(stream, size))) {
            found.push({ record, content: Uint8Array.from(await bytesOf(data)) })
          }
          assert.deepEqual(
            found,
            items.map(({ record, content }) => ({ record, content: Uint8Array.from(content) })),
          )
        },
      ),
    )
  })

  it('skips data that the consumer leaves, in part or as a whole', async () => {
    const content = Buffer.from('0123456789')
    const items = ['a', 'b', 'c'].map((path) => ({ record: { ...plain, path, size: 10 }, content }))
    const seen: string[] = []

    for await (const { record, data } of decodeEntries(encodeEntries(entriesOf(items)))) {
      seen.push(record.path)
      if (record.path === 'b') for await (const _ of data) break
    }

    assert.deepEqual(seen, ['a', 'b', 'c'])
  })

  it('throws an error record with its kind and text', async () => {
    const error = encodeRecord({ ...plain, path: '/x: No such file or directory', major: 2 }) as Buffer
    error.write('X')

    await assert.rejects(Array.fromAsync(decodeEntries(chunksOf(error, 5))), (thrown: Error) => {
      assert.equal(thrown.message, '/x: No such file or directory')
      return isKind(thrown, 'not_found')
    })
  })

  it('never takes a torn stream for a whole one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 3 }), fc.nat(), async (items, cut) => {
        const stream = await bytesOf(encodeEntries(entriesOf(items)))
        const torn = stream.subarray(0, cut % stream.length)
        await assert.rejects(Array.fromAsync(decodeEntries(chunksOf(torn, 64))), /it ends early/)
      }),
    )
  })
})

describe('decodeRecord()', () => {
  it('reads one record without its data', async () => {
    const record = { ...plain, path: 'f', size: 12345 }
    assert.deepEqual(await decodeRecord(chunksOf(encodeRecord(record), 10)), record)
  })
})

describe('encodeEntries()', () => {
  it('fails when the data are shorter or longer than the record says', async () => {
    for (const size of [2, 4]) {
      const items = [{ record: { ...plain, path: 'f', size }, content: Buffer.from('abc') }]
      await assert.rejects(bytesOf(encodeEntries(entriesOf(items))), /^EngineError: f: the data do not have/)
    }
  })
})

describe('textOfBytes()', () => {
  it('is undone by bytesOfText() for any bytes but NUL', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const name = bytes.filter((byte) => byte !== 0)
        assert.deepEqual(Uint8Array.from(bytesOfText(textOfBytes(name))), Uint8Array.from(name))
      }),
    )
  })

  it('reads UTF-8 as it is, also beside bytes that are not', () => {
    assert.equal(textOfBytes(Buffer.from('Grüße 🚢')), 'Grüße 🚢')
    assert.equal(textOfBytes(Buffer.from([0x61, 0xff, 0xc3, 0xbc, 0xc3])), 'a\udcffü\udcc3')
  })
})

describe('bytesOfText()', () => {
  it('refuses a NUL', () => {
    assert.throws(
      () => bytesOfText('a\0b'),
      (error) => isKind(error, 'invalid_argument'),
    )
  })
})

const plain: TreeRecord = {
  type: 'file',
  path: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  size: 0,
}
