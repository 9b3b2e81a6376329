import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type Digest, digestOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { member, tarOf } from '#test/support/busybox-image.ts'
import type { LayerJob } from './layer-thread.ts'
import { LayerThreads } from './layer-threads.ts'

const tar = await tarOf(member({ path: 'etc/motd' }, 'hello'), member({ path: 'big' }, Buffer.alloc(300_000)))
const packed = gzipSync(tar)

async function start() {
  const directory = mkdtempSync(join(tmpdir(), 'berth-threads-'))
  const blob = join(directory, 'blob')
  writeFileSync(blob, packed)
  const threads = new LayerThreads()
  let made = 0
  const job = (over: Partial<LayerJob> = {}): LayerJob => ({
    blob,
    digest: digestOf(packed),
    size: packed.length,
    tar: join(mkdtempSync(join(directory, `${made++}-`)), 'layer.tar'),
    index: true,
    limit: 1 << 30,
    expected: digestOf(tar),
    ...over,
  })
  /** With so many bytes there from the start. */
  const run = (work: LayerJob, there = packed.length, signal?: AbortSignal) =>
    threads.run(work, {
      signal,
      onProgress: () => undefined,
      follow: (onGrown) => {
        onGrown(there)
        return { [Symbol.dispose]: () => undefined }
      },
    })
  return {
    job,
    run,
    [Symbol.asyncDispose]: async () => {
      await threads[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true })
    },
  }
}

describe('LayerThreads.run()', () => {
  it('unpacks one layer after the other, and makes their indexes', async () => {
    const priority = getPriority(process.pid)
    await using context = await start()
    for (let round = 0; round < 3; round++) {
      const job = context.job()
      const layer = await context.run(job)
      assert.equal(layer.diffId, digestOf(tar))
      assert.equal(layer.indexed?.kind, 'erofs')
      assert.ok(readFileSync(job.tar).equals(tar))
    }
    // The threads are nice; the engine is not.
    assert.equal(getPriority(process.pid), priority)
  })

  it('refuses another digest, another layer, and more bytes than are allowed', async () => {
    await using context = await start()
    const other: Digest = `sha256:${'0'.repeat(64)}`
    await assert.rejects(context.run(context.job({ digest: other })), /blob has digest/)
    await assert.rejects(context.run(context.job({ expected: other })), /layer has digest/)
    await assert.rejects(context.run(context.job({ limit: 1000 })), (error) =>
      isKind(error, 'resource_exhausted'),
    )
    await context.run(context.job())
  })

  it('can be given up while it waits for bytes, and when it has just begun', async () => {
    await using context = await start()
    await context.run(context.job())
    for (const there of [0, 100]) {
      const abort = new AbortController()
      const rejected = assert.rejects(context.run(context.job(), there, abort.signal), /enough/)
      abort.abort(new Error('enough'))
      await rejected
    }
    await context.run(context.job())
  })
})
