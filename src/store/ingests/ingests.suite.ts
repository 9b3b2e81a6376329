import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import type { Ingest, Ingests } from './ingests.ts'

export interface IngestsUnderTest extends AsyncDisposable {
  readonly ingests: Ingests
  /** The same place, as a process sees it that was started after this one was killed. */
  afterCrash(): Promise<Ingests>
}

const bytes = Buffer.from('0123456789'.repeat(300_000))
const size = bytes.length
const digest = digestOf(bytes)

async function readAll(ingest: Ingest, signal?: AbortSignal): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(ingest.read({ signal })))
}

function write(ingest: Ingest, offset: number, end: number): Promise<void> {
  return ingest.write(offset, bytes.subarray(offset, end))
}

/** What every Ingests promises. */
export function ingestsSuite(name: string, make: () => Promise<IngestsUnderTest>): void {
  describe(name, () => {
    it('gives back what was written, in any order', async () => {
      await using under = await make()
      await using ingest = await under.ingests.open({ digest, size })
      await write(ingest, 1_000_000, size)
      assert.deepEqual(ingest.missing(), [{ offset: 0, end: 1_000_000 }])
      await write(ingest, 0, 1_200_000)

      assert.deepEqual(ingest.missing(), [])
      assert.equal(ingest.received, size)
      assert.ok((await readAll(ingest)).equals(bytes))
    })

    it('read() follows the beginning as it grows', async () => {
      await using under = await make()
      await using ingest = await under.ingests.open({ digest, size })
      const reading = readAll(ingest)
      await write(ingest, 2_000_000, size)
      await write(ingest, 0, 500_000)
      await write(ingest, 500_000, 2_000_000)

      assert.ok((await reading).equals(bytes))
    })

    it('read() ends with the signal, and when the bytes are thrown away', async () => {
      await using under = await make()
      await using ingest = await under.ingests.open({ digest, size })
      await write(ingest, 0, 10)
      const abort = new AbortController()
      const reading = readAll(ingest, abort.signal)
      abort.abort(new Error('enough'))
      await assert.rejects(reading, /enough/)

      const left = assert.rejects(readAll(ingest), (error) => isKind(error, 'cancelled'))
      await ingest.reset()
      await left
      assert.deepEqual(ingest.missing(), [{ offset: 0, end: size }])
    })

    it('keeps what has come when it is closed and opened again', async () => {
      await using under = await make()
      {
        await using ingest = await under.ingests.open({ digest, size })
        await write(ingest, 0, 1000)
        await write(ingest, 5000, 6000)
      }
      await using ingest = await under.ingests.open({ digest, size })
      assert.deepEqual(ingest.missing(), [
        { offset: 1000, end: 5000 },
        { offset: 6000, end: size },
      ])
    })

    it('forgets at most a piece after a crash', async () => {
      await using under = await make()
      await using ingest = await under.ingests.open({ digest, size })
      for (let at = 0; at < 2_500_000; at += 50_000) await write(ingest, at, at + 50_000)

      const after = await under.afterCrash()
      await using again = await after.open({ digest, size })
      assert.ok(again.received > 2_500_000 - (1 << 20), `${again.received} bytes`)
      for (const { offset, end } of again.missing()) await write(again, offset, end)
      assert.ok((await readAll(again)).equals(bytes))
    })

    it('begins anew for another size, and after reset()', async () => {
      await using under = await make()
      {
        await using ingest = await under.ingests.open({ digest, size })
        await write(ingest, 0, 1000)
      }
      {
        await using ingest = await under.ingests.open({ digest, size: 5000 })
        assert.equal(ingest.received, 0)
        await write(ingest, 0, 1000)
        await ingest.reset()
        await write(ingest, 4000, 5000)
      }
      await using ingest = await under.ingests.open({ digest, size: 5000 })
      assert.deepEqual(ingest.missing(), [{ offset: 0, end: 4000 }])
    })

    it('has one holder at a time', async () => {
      await using under = await make()
      {
        await using _first = await under.ingests.open({ digest, size })
        await assert.rejects(under.ingests.open({ digest, size }), (error) => isKind(error, 'conflict'))
      }
      await using _second = await under.ingests.open({ digest, size })
    })

    it('leaves nothing of what was removed, and of what never came', async () => {
      await using under = await make()
      {
        await using ingest = await under.ingests.open({ digest, size })
        await write(ingest, 0, 1000)
        await ingest.remove()
      }
      {
        await using _nothing = await under.ingests.open({ digest, size })
      }
      assert.deepEqual(await under.ingests.list(), [])
    })

    it('lists, expires and removes what nobody has open', async () => {
      await using under = await make()
      const later = Date.now() + 60_000
      {
        await using ingest = await under.ingests.open({ digest, size })
        await write(ingest, 0, 1_000_000)
        const [usage] = await under.ingests.list()
        assert.deepEqual(
          { ...usage, stored: 0, touched: 0 },
          { digest, size, stored: 0, touched: 0, open: true },
        )
        assert.deepEqual(await under.ingests.expire(later), [])
        await under.ingests.remove(digest)
        assert.equal((await under.ingests.list()).length, 1)
      }
      assert.deepEqual(await under.ingests.expire(Date.now() - 60_000), [])
      assert.deepEqual(
        (await under.ingests.expire(later)).map((usage) => usage.digest),
        [digest],
      )
      await under.ingests.remove(digest)
      assert.deepEqual(await under.ingests.list(), [])
    })
  })
}
