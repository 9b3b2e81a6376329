import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { unixTime } from './time-argument.ts'

process.env['TZ'] = 'UTC'

describe('unixTime()', () => {
  it('reads durations before now, dates, times and seconds', () => {
    const now = 1_700_000_000_500
    const times: Record<string, string | undefined> = {
      '': undefined,
      '0': '0',
      '1700000000.123456789': '1700000000.123456789',
      '10m': '1699999400.5',
      '1h30m': '1699994600.5',
      '2024-01-02T03:04:05Z': '1704164645',
      '2024-01-02T03:04:05.123456789Z': '1704164645.123456789',
      '2024-01-02T03:04:05+01:00': '1704161045',
      '2024-01-02': '1704153600',
      '2024-01-02T03:04': '1704164640',
    }
    for (const [text, expected] of Object.entries(times)) assert.equal(unixTime(text, now), expected, text)
    assert.throws(() => unixTime('yesterday', now), /invalid value for a time: "yesterday"/)
  })
})
