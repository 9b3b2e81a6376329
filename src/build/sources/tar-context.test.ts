import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { engineErrorOf, isKind } from '#base/errors.ts'
import { archive, file, hardlink, symlink } from '#test/fixtures/archives/archive.ts'
import { sparse } from '#test/fixtures/archives/sparse.ts'
import type { FileSource } from './file-source.ts'
import { contentOf, type Sketch, sketchOf, sourceSuite, tarOf } from './sources.suite.ts'
import { testSpool } from './spool.fixture.ts'
import { openStreamedContext, type StreamedContext } from './tar-context.ts'

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks))
}

/** In odd pieces, as a socket gives them. */
async function* pieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function opened(
  stream: AsyncIterable<Uint8Array>,
): Promise<StreamedContext & AsyncDisposable & { readonly left: () => Promise<readonly string[]> }> {
  await using owned = new AsyncDisposableStack()
  const at = owned.use(await testSpool())
  const context = await openStreamedContext(stream, { name: 'build context', spool: at.spool })
  if (context.type === 'files') owned.use(context.source)
  const kept = owned.move()
  return { ...context, left: () => at.left(), [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

async function sourceOf(files: readonly Sketch[]): Promise<FileSource> {
  const context = await opened(tarOf(files))
  assert.ok(context.type === 'files')
  const { source } = context
  return new Proxy(source, {
    get: (target, key) => {
      if (key === Symbol.asyncDispose) return () => context[Symbol.asyncDispose]()
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

sourceSuite({ name: 'a context that is a tar', open: sourceOf })

describe('openStreamedContext()', () => {
  const files: readonly Sketch[] = [{ path: 'd' }, { path: 'd/f', content: 'content' }]

  it('takes an archive in every compression', async () => {
    const tar = await bytesOf(tarOf(files))
    const forms = { plain: tar, gzip: gzipSync(tar), zstd: zstdCompressSync(tar) }
    for (const [form, bytes] of Object.entries(forms)) {
      await using context = await opened(pieces(bytes))
      assert.ok(context.type === 'files')
      assert.deepEqual(await sketchOf(context.source), ['d', 'd/f=content'], form)
    }
  })

  it('takes what is no archive for a Dockerfile', async () => {
    const text = 'FROM scratch\n# é\n'
    for (const bytes of [Buffer.from(text), gzipSync(text), Buffer.from(text.padEnd(2000, '#'))]) {
      await using context = await opened(pieces(bytes))
      assert.equal(context.type === 'dockerfile' && context.text.startsWith(text), true)
      assert.deepEqual(await context.left(), [])
    }
    await using empty = await opened(pieces(Buffer.alloc(0)))
    assert.deepEqual(empty.type === 'dockerfile' && empty.text, '')
  })

  it('takes an empty archive', async () => {
    await using context = await opened(pieces(Buffer.alloc(10_240)))
    assert.ok(context.type === 'files')
    assert.deepEqual(await sketchOf(context.source), [])
  })

  it('refuses what is neither', async () => {
    for (const bytes of [Buffer.from('FROM\0scratch'), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0xff])]) {
      await assert.rejects(opened(pieces(bytes)), (error) => engineErrorOf(error)?.code === 'CONTEXT_INVALID')
    }
  })

  it('keeps files whose names look like whiteouts of layers', async () => {
    await using context = await opened(
      tarOf([{ path: '.wh.f', content: '1' }, { path: '.wh..wh..opq', content: '2' }, { path: '.wh.d' }]),
    )
    assert.ok(context.type === 'files')
    assert.deepEqual(await sketchOf(context.source), ['.wh..wh..opq=2', '.wh.d', '.wh.f=1'])
  })

  it('leads nowhere out of the archive (CVE-2026-17106, GHSA-32pv-7hq5-qhwq)', async () => {
    for (const hostile of [
      archive(file('../escape', 'x')),
      archive(file('a/../../escape', 'x')),
      archive(hardlink('l', '../../etc/passwd')),
      archive(hardlink('l', 'nowhere')),
      archive(symlink('s', 's'), file('s/x', 'x')),
    ]) {
      await assert.rejects(opened(pieces(hostile)), (error) => isKind(error, 'invalid_argument'))
    }
    await using context = await opened(
      pieces(archive(symlink('root', '/'), symlink('etc', '/elsewhere'), file('etc/x', 'inside'))),
    )
    assert.ok(context.type === 'files')
    assert.equal(await context.source.find('etc/passwd'), undefined)
    assert.equal(await context.source.find('root/etc/hostname'), undefined)
    assert.equal((await context.source.find('root/etc/x'))?.attributes.path, 'elsewhere/x')
    assert.equal(await contentOf(await context.source.find('root/etc/x')), 'inside')
  })

  it('refuses an archive that is cut off, and leaves nothing', async () => {
    await using at = await testSpool()
    const tar = await bytesOf(tarOf(files))
    await assert.rejects(
      openStreamedContext(pieces(tar.subarray(0, 900)), { name: 'x', spool: at.spool }),
      (error) => isKind(error, 'invalid_argument'),
    )
    assert.deepEqual(await at.left(), [])
  })

  it('refuses an archive that grows beyond measure, while it does', async () => {
    await using at = await testSpool()
    const tar = await bytesOf(tarOf([{ path: 'zeros', content: '\0'.repeat(4 << 20) }]))
    const limits = { unquestioned: 1 << 20, ratio: 10 }
    await assert.rejects(
      openStreamedContext(pieces(gzipSync(tar)), { name: 'x', spool: at.spool, limits }),
      (error) => isKind(error, 'resource_exhausted'),
    )
    assert.deepEqual(await at.left(), [])
  })

  it('stops when it is aborted, and leaves nothing', async () => {
    await using at = await testSpool()
    const controller = new AbortController()
    const tar = await bytesOf(tarOf([{ path: 'big', content: 'x'.repeat(4 << 20) }]))
    const stopping = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of pieces(tar, 1 << 20)) {
        yield piece
        controller.abort(new Error('enough'))
      }
    }
    await assert.rejects(
      openStreamedContext(stopping(), { name: 'x', spool: at.spool, signal: controller.signal }),
      /enough/,
    )
    assert.deepEqual(await at.left(), [])
  })

  it('refuses holes that nobody could read to the end', async () => {
    await using at = await testSpool()
    const huge = sparse('old', { name: 'huge', size: 2 ** 33 - 1, regions: [] })
    const [one, two] = [
      archive(huge),
      archive(huge, sparse('1.0', { name: 'more', size: 4096, regions: [] })),
    ]
    const options = { name: 'x', spool: at.spool }
    const context = await openStreamedContext(pieces(one), options)
    assert.ok(context.type === 'files')
    await context.source[Symbol.asyncDispose]()
    await assert.rejects(openStreamedContext(pieces(two), options), /more: sparse files that are too large/)
    assert.deepEqual(await at.left(), [])
  })

  it('gives up what a large file stands for when it is told to', { timeout: 20_000 }, async () => {
    const controller = new AbortController()
    await using context = await opened(
      pieces(archive(sparse('1.0', { name: 'f', size: 2 ** 33, regions: [] }))),
    )
    assert.ok(context.type === 'files')
    const found = await context.source.find('f')
    setImmediate(() => controller.abort(new Error('enough')))
    await assert.rejects(found?.digest(controller.signal) ?? Promise.resolve(), /enough/)
  })

  it('removes what it has on the disk when it is disposed', async () => {
    await using at = await testSpool()
    const context = await openStreamedContext(tarOf(files), { name: 'x', spool: at.spool })
    assert.equal((await at.left()).length, 1)
    if (context.type === 'files') await context.source[Symbol.asyncDispose]()
    assert.deepEqual(await at.left(), [])
  })
})
