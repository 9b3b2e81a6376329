import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { commandText, humanDuration, rfc3339Nano, statusText } from './status.ts'
import type { StatusFacts } from './status.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

describe('humanDuration()', () => {
  for (const [milliseconds, text] of [
    [0, 'Less than a second'],
    [-5, 'Less than a second'],
    [999, 'Less than a second'],
    [1000, '1 second'],
    [59_999, '59 seconds'],
    [MINUTE, 'About a minute'],
    [2 * MINUTE - 1, 'About a minute'],
    [3 * MINUTE, '3 minutes'],
    [HOUR - 1, '59 minutes'],
    [HOUR, 'About an hour'],
    [1.4 * HOUR, 'About an hour'],
    [1.5 * HOUR, '2 hours'],
    [47 * HOUR, '47 hours'],
    [2 * DAY, '2 days'],
    [13 * DAY, '13 days'],
    [14 * DAY, '2 weeks'],
    [59 * DAY, '8 weeks'],
    [60 * DAY, '2 months'],
    [729 * DAY, '24 months'],
    [730 * DAY, '2 years'],
  ] as const) {
    it(`says ${text} for ${milliseconds} ms`, () => assert.equal(humanDuration(milliseconds), text))
  }
})

describe('statusText()', () => {
  const now = new Date('2026-01-01T01:00:00Z')
  const text = (facts: Partial<StatusFacts>) =>
    statusText(
      {
        status: 'running',
        exitCode: 0,
        startedAt: new Date('2026-01-01T00:57:00Z'),
        finishedAt: undefined,
        ...facts,
      },
      now,
    )
  const finishedAt = new Date('2026-01-01T00:59:55Z')

  it('says what Docker says', () => {
    assert.equal(text({}), 'Up 3 minutes')
    assert.equal(text({ health: 'none' }), 'Up 3 minutes')
    assert.equal(text({ health: 'starting' }), 'Up 3 minutes (health: starting)')
    assert.equal(text({ health: 'unhealthy' }), 'Up 3 minutes (unhealthy)')
    assert.equal(text({ status: 'paused', health: 'healthy' }), 'Up 3 minutes (Paused)')
    assert.equal(text({ status: 'exited', exitCode: 137, finishedAt }), 'Exited (137) 5 seconds ago')
    assert.equal(text({ status: 'restarting', exitCode: 1, finishedAt }), 'Restarting (1) 5 seconds ago')
    assert.equal(text({ status: 'created' }), 'Created')
    assert.equal(text({ status: 'removing' }), 'Removal In Progress')
    assert.equal(text({ status: 'dead' }), 'Dead')
  })
})

describe('commandText()', () => {
  it('quotes arguments with spaces', () => {
    assert.equal(commandText('sh', ['-c', 'echo a', 'b']), `sh -c 'echo a' b`)
    assert.equal(commandText('true', []), 'true')
  })
})

describe('rfc3339Nano()', () => {
  it('leaves trailing zeros out', () => {
    assert.equal(rfc3339Nano(1_700_000_000_123_450_000n), '2023-11-14T22:13:20.12345Z')
    assert.equal(rfc3339Nano(new Date(1500)), '1970-01-01T00:00:01.5Z')
    assert.equal(rfc3339Nano(0n), '1970-01-01T00:00:00Z')
    assert.equal(rfc3339Nano(-1n), '1969-12-31T23:59:59.999999999Z')
    assert.equal(rfc3339Nano(undefined), '0001-01-01T00:00:00Z')
  })

  it('is a time that JavaScript reads back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), (ms) => {
        assert.equal(Date.parse(rfc3339Nano(new Date(ms))), ms)
      }),
    )
  })
})
