import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import { parseTimestamp } from './timestamp.ts'

describe('parseTimestamp()', () => {
  it('keeps every nanosecond', () => {
    assert.equal(parseTimestamp('1767323045.123456789', 'since'), 1_767_323_045_123_456_789n)
    assert.equal(parseTimestamp('1767323045.5', 'since'), 1_767_323_045_500_000_000n)
    assert.equal(parseTimestamp('-1.25', 'since'), -1_250_000_000n)
  })

  it('takes nothing and zero for not set', () => {
    for (const text of [undefined, '', '0', '0.000000000']) assert.equal(parseTimestamp(text, 'x'), undefined)
  })

  it('refuses anything else with a kind of error that becomes 400', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const parsed = parseTimestamp(text, 'since')
          assert.ok(parsed === undefined || typeof parsed === 'bigint')
        } catch (error) {
          assert.ok(isKind(error, 'invalid_argument'))
        }
      }),
    )
    assert.throws(() => parseTimestamp('yesterday', 'since'), /invalid since "yesterday"/)
  })
})
