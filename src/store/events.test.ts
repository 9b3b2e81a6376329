import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import { openDatabase } from './db.ts'
import { EventRows } from './events.ts'

function rows(): EventRows {
  return new EventRows(openDatabase(':memory:', { logger: silentLogger }))
}

// Beyond what a double holds.
const T = 1_795_000_000_123_456_789n

const row = (sequence: number, time: bigint) => ({
  sequence,
  time,
  type: 'container',
  action: 'start',
  actorId: 'abc',
  attributes: { name: `n${sequence}` },
})

describe('EventRows', () => {
  it('gives back what was appended, to the nanosecond', () => {
    const events = rows()
    assert.equal(events.last(), undefined)
    for (const n of [1, 2, 3]) events.append(row(n, T + BigInt(n)))
    assert.deepEqual(events.last(), row(3, T + 3n))
    assert.deepEqual(events.after(1, 10), [row(2, T + 2n), row(3, T + 3n)])
    assert.deepEqual(events.after(0, 1), [row(1, T + 1n)])
  })

  it('before() finds where a reader of a time has to start', () => {
    const events = rows()
    assert.equal(events.before(0n), 0)
    for (const n of [1, 2, 3]) events.append(row(n, T + BigInt(n)))
    assert.deepEqual(
      [0n, T + 1n, T + 2n, T + 3n, T + 4n].map((time) => events.before(time)),
      [0, 0, 1, 2, 3],
    )
    events.trim(1)
    assert.equal(events.before(0n), 1)
  })
})
