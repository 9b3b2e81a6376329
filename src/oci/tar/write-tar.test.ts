import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import { stream } from '#test/fixtures/archives/archive.ts'
import type { TarEntry } from './entry.ts'
import { readTar } from './read-tar.ts'
import { writeTar, type TarSource } from './write-tar.ts'

const plain = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 1, nanoseconds: 0 }, size: 0 }

async function written(...sources: readonly TarSource[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(writeTar(sources)))
}

async function readBack(bytes: Buffer): Promise<readonly { entry: TarEntry; content: Buffer }[]> {
  const all: { entry: TarEntry; content: Buffer }[] = []
  for await (const { entry, data } of readTar(stream(bytes))) {
    all.push({ entry, content: Buffer.concat(await Array.fromAsync(data)) })
  }
  return all
}

const component = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .map((text) => text.replace(/[\0/]/g, '_').toWellFormed())
  .filter((text) => text !== '.' && text !== '..' && Buffer.byteLength(text) <= 255)
const path = fc.array(component, { minLength: 1, maxLength: 12 }).map((parts) => parts.join('/'))
const common = {
  path,
  mode: fc.nat(0o7777),
  uid: fc.oneof(fc.nat(70_000), fc.nat(0xffff_fffe)),
  gid: fc.oneof(fc.nat(70_000), fc.nat(0xffff_fffe)),
  mtime: fc
    .tuple(
      fc.oneof(fc.integer({ min: -(2 ** 34), max: 2 ** 34 }), fc.nat(2_000_000_000)),
      fc.oneof(fc.constant(0), fc.nat(999_999_999)),
    )
    .map(([seconds, nanoseconds]) => ({ seconds, nanoseconds })),
}
const xattrs = fc
  .dictionary(
    fc.string({ minLength: 1, maxLength: 20 }).filter((key) => !/[=\0]/.test(key)),
    fc.uint8Array({ maxLength: 100 }),
    { minKeys: 1, maxKeys: 4, noNullPrototype: true },
  )
  .map((values) => new Map(Object.entries(values).map(([key, value]) => [`user.${key}`, value])))
const content = fc.uint8Array({ maxLength: 2000 })

const source: fc.Arbitrary<{ entry: TarEntry; content: Uint8Array }> = fc.oneof(
  fc.record({ ...common, content, xattrs }).map(({ content, ...rest }) => ({
    entry: { ...rest, type: 'file' as const, size: content.length },
    content,
  })),
  fc
    .record({ ...common, link: path, type: fc.constantFrom('symlink' as const, 'hardlink' as const) })
    .map((entry) => ({
      entry: { ...entry, size: 0 },
      content: new Uint8Array(),
    })),
  fc
    .record({
      ...common,
      type: fc.constantFrom('char' as const, 'block' as const),
      major: fc.nat(0xfff),
      minor: fc.nat(0xfffff),
    })
    .map((entry) => ({ entry: { ...entry, size: 0 }, content: new Uint8Array() })),
  fc.record({ ...common, type: fc.constantFrom('directory' as const, 'fifo' as const) }).map((entry) => ({
    entry: { ...entry, size: 0 },
    content: new Uint8Array(),
  })),
)

describe('writeTar()', () => {
  it('writes what readTar() reads back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(source, { maxLength: 6 }), async (sources) => {
        const bytes = await written(...sources.map(({ entry, content }) => ({ entry, data: [content] })))
        assert.equal(bytes.length % 512, 0)
        const back = await readBack(bytes)
        assert.deepEqual(
          back.map(({ entry }) => entry),
          sources.map(({ entry }) => entry),
        )
        for (const [i, { content }] of back.entries()) assert.ok(content.equals(sources[i]!.content))
      }),
    )
  })

  it('needs one block per header when everything fits ustar, and writes equal bytes for equal entries', async () => {
    const entry: TarEntry = { ...plain, type: 'file', path: `${'d'.repeat(120)}/${'f'.repeat(100)}` }
    const bytes = await written({ entry, data: [] })
    assert.equal(bytes.length, 512 + 1024)
    assert.deepEqual(await written({ entry, data: [] }), bytes)
  })

  it('fails with data_loss when a file is not as long as its entry says', async () => {
    const entry: TarEntry = { ...plain, type: 'file', path: 'log', size: 5 }
    for (const data of ['four', 'longer']) {
      await assert.rejects(written({ entry, data: [Buffer.from(data)] }), (error) =>
        isKind(error, 'data_loss'),
      )
    }
  })

  it('passes large content on without gathering it', async () => {
    const size = 5_000_000
    const entry: TarEntry = { ...plain, type: 'file', path: 'big', size }
    const chunks = Array.from({ length: 50 }, (_, i) => Buffer.alloc(100_000, i))
    const sizes: number[] = []
    for await (const chunk of writeTar([{ entry, data: chunks }])) sizes.push(chunk.length)
    assert.ok(sizes.length >= 50 && Math.max(...sizes) < 200_000)
  })
})
