import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { parseUntil } from './until.ts'

const now = Date.parse('2026-01-02T03:04:05Z')

describe('parseUntil()', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['10m', now - 600_000],
    ['1h30m', now - 5_400_000],
    ['1.5h', now - 5_400_000],
    ['-10s', now + 10_000],
    ['1500ms', now - 1500],
    ['1700000000', 1_700_000_000_000],
    ['1700000000.5', 1_700_000_000_500],
    ['2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:00Z')],
    ['2026-01-01T00:00:00.123456789+02:00', Date.parse('2025-12-31T22:00:00.123Z')],
    ['2026-01-01', new Date(2026, 0, 1).getTime()],
    ['2026-01-01T10:20', new Date(2026, 0, 1, 10, 20).getTime()],
    ['2026-01-01T10', new Date(2026, 0, 1, 10).getTime()],
  ]
  for (const [text, expected] of cases) {
    it(`reads ${text}`, () => assert.equal(parseUntil(text, now), expected))
  }

  for (const text of ['', 'tomorrow', '10', '10x', '2026-13-01', '2026-01-01 10:00', '1e9', 'm']) {
    it(`reads or refuses ${JSON.stringify(text)}`, () => {
      if (text === '10') assert.equal(parseUntil(text, now), 10_000)
      else
        assert.throws(
          () => parseUntil(text, now),
          (error) => isKind(error, 'invalid_argument'),
        )
    })
  }
})
