import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { openDatabase } from './db.ts'
import { type FileState, FileDigestRows, isSettled } from './file-digests.ts'

const state: FileState = {
  dev: 2n ** 63n + 5n,
  ino: 2n ** 64n - 1n,
  size: 12n,
  mtimeNs: 1_700_000_000_123_456_789n,
  ctimeNs: -5n,
}
const content = digestOf('content')

async function rows(): Promise<
  AsyncDisposable & {
    readonly rows: FileDigestRows
    readonly clock: FakeClock
    readonly count: () => number
    readonly fill: () => void
  }
> {
  const db = openDatabase(':memory:', { logger: silentLogger })
  const clock = new FakeClock()
  return {
    rows: new FileDigestRows(db, clock),
    clock,
    /** No page can be added any more. */
    fill: () => {
      const pages = db.get<{ page_count: number }>('PRAGMA page_count')?.page_count ?? 0
      db.exec(`PRAGMA max_page_count = ${pages}`)
    },
    count: () => db.get<{ n: number }>('SELECT count(*) AS n FROM file_digests')?.n ?? -1,
    [Symbol.asyncDispose]: () => db.close(),
  }
}

describe('FileDigestRows', () => {
  it('knows a file as long as nothing that stat says has changed', async () => {
    await using at = await rows()
    at.rows.remember(state, content)
    at.rows.flush()

    assert.equal(at.rows.lookup(state), content)
    for (const field of ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const) {
      assert.equal(at.rows.lookup({ ...state, [field]: state[field] - 1n }), undefined, field)
    }
  })

  it('keeps one row for a file that changes', async () => {
    await using at = await rows()
    at.rows.remember(state, content)
    at.rows.remember({ ...state, size: 13n }, digestOf('other'))
    at.rows.flush()

    assert.equal(at.count(), 1)
    assert.equal(at.rows.lookup(state), undefined)
    assert.equal(at.rows.lookup({ ...state, size: 13n }), digestOf('other'))
  })

  it('costs no build when the disk is full', async () => {
    await using at = await rows()
    at.rows.flush()
    at.fill()
    for (let i = 0; i < 5000; i++) at.rows.remember({ ...state, ino: BigInt(i) }, content)
    at.rows.flush()

    assert.ok(at.count() < 5000)
  })

  it('forgets after thirty days what nobody has asked for, and keeps what somebody has', async () => {
    await using at = await rows()
    const other = { ...state, ino: 7n }
    at.rows.remember(state, content)
    at.rows.remember(other, content)
    at.rows.flush()

    await at.clock.advance(20 * 86_400_000)
    at.rows.lookup(state)
    at.rows.flush()
    await at.clock.advance(20 * 86_400_000)
    at.rows.flush()

    assert.equal(at.rows.lookup(state), content)
    assert.equal(at.rows.lookup(other), undefined)
  })
})

describe('isSettled()', () => {
  const now = 1_800_000_000_000_000_000n
  it('trusts times that are two seconds old', () => {
    assert.equal(isSettled({ ...state, mtimeNs: 5n, ctimeNs: now - 2_000_000_001n }, now), true)
  })
  it('trusts no file that has just changed, or that will have changed', () => {
    assert.equal(isSettled({ ...state, mtimeNs: 5n, ctimeNs: now - 2_000_000_000n }, now), false)
    assert.equal(isSettled({ ...state, mtimeNs: now + 5n, ctimeNs: 5n }, now), false)
  })
})
