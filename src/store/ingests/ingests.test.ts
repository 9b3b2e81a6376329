import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Digest } from '#base/digest.ts'
import { silentLogger } from '#base/logger.ts'
import { ByteRanges } from './byte-ranges.ts'
import { FileIngests } from './file-ingests.ts'
import { GatheredWrites } from './gathered-writes.ts'
import type { Ingest } from './ingests.ts'
import { ingestsSuite } from './ingests.suite.ts'

async function open(dataRoot: string): Promise<FileIngests> {
  const ingests = new FileIngests({ dataRoot, logger: silentLogger })
  await ingests.recover()
  return ingests
}

async function make() {
  const dataRoot = mkdtempSync(join(tmpdir(), 'berth-ingests-'))
  return {
    dataRoot,
    ingests: await open(dataRoot),
    afterCrash: () => open(dataRoot),
    [Symbol.asyncDispose]: async () => rmSync(dataRoot, { recursive: true }),
  }
}

ingestsSuite('FileIngests', make)

describe('FileIngests', () => {
  it('opens a partial blob that is being removed as a new one', async () => {
    const digest: Digest = `sha256:${'ab'.repeat(32)}`
    await using under = await make()
    {
      await using ingest = await under.ingests.open({ digest, size: 10_000 })
      await ingest.write(0, Buffer.alloc(4000))
    }
    const removing = under.ingests.remove(digest)
    await using ingest = await under.ingests.open({ digest, size: 10_000 })
    await removing
    await ingest.write(0, Buffer.alloc(10))

    assert.equal(statSync(ingest.path).size, 10)
  })
})

describe('GatheredWrites', () => {
  it('gathers what is too little for a write, and what comes during one', async () => {
    const written: [number, number][] = []
    const first = Promise.withResolvers<void>()
    const ingest = {
      async write(offset: number, ...pieces: readonly Uint8Array[]) {
        written.push([offset, pieces.length])
        if (offset === 5) await first.promise
      },
    } as unknown as Ingest
    let told = 0
    const writes = new GatheredWrites(ingest, 5, { least: 10, onWritten: (bytes) => (told += bytes) })
    for (let i = 0; i < 5; i++) await writes.add(Buffer.alloc(6))
    assert.equal(writes.position, 35)
    first.resolve()
    await writes.add(Buffer.alloc(1))
    await writes.finish()
    await writes.finish()
    await writes.add(Buffer.alloc(10))
    await turn()

    assert.deepEqual(written, [
      [5, 2],
      [17, 4],
      [36, 1],
    ])
    assert.equal(told, 41)
  })

  it('tells of a failure whoever adds or finishes after it', async () => {
    const ingest = { write: () => Promise.reject(new Error('full')) } as unknown as Ingest
    const writes = new GatheredWrites(ingest, 0, { least: 1, onWritten: () => undefined })
    await writes.add(Buffer.alloc(1))
    await assert.rejects(writes.finish(), /full/)
    await assert.rejects(writes.finish(), /full/)
  })
})

describe('FileIngests after a crash', () => {
  const digest: Digest = `sha256:${'ab'.repeat(32)}`

  it('drops what is no partial blob', async () => {
    await using under = await make()
    const root = join(under.dataRoot, 'ingests')
    mkdirSync(join(root, 'cd'.repeat(32)))
    writeFileSync(join(root, 'stray'), '')
    await under.ingests.recover()

    assert.deepEqual(readdirSync(root), [])
  })

  it('does not believe in a torn line, nor in bytes that the file does not have', async () => {
    await using under = await make()
    {
      await using ingest = await under.ingests.open({ digest, size: 10_000 })
      await ingest.write(0, Buffer.alloc(4000))
    }
    const directory = join(under.dataRoot, 'ingests', 'ab'.repeat(32))
    appendFileSync(join(directory, 'progress'), '4000 90')
    truncateSync(join(directory, 'data'), 3000)

    await using ingest = await under.ingests.open({ digest, size: 10_000 })
    assert.deepEqual(ingest.missing(), [{ offset: 3000, end: 10_000 }])
  })
})

describe('ByteRanges', () => {
  it('joins what touches and what overlaps', () => {
    const ranges = new ByteRanges()
    const add = (offset: number, end: number): void => ranges.add({ offset, end })
    add(10, 20)
    add(30, 40)
    add(50, 60)
    add(20, 25)
    add(35, 52)
    add(70, 70)

    assert.deepEqual(ranges.list(), [
      { offset: 10, end: 25 },
      { offset: 30, end: 60 },
    ])
    assert.equal(ranges.prefix, 0)
    assert.equal(ranges.size, 45)
    add(0, 10)
    assert.equal(ranges.prefix, 25)
    assert.deepEqual(ranges.missing(61), [
      { offset: 25, end: 30 },
      { offset: 60, end: 61 },
    ])
  })
})
