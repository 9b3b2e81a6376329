import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatGoDuration, parseGoDuration } from './go-duration.ts'

describe('parseGoDuration()', () => {
  it('reads what Go reads', () => {
    const table = {
      '1m30s': 90e9,
      '1.5h': 5400e9,
      '500ms': 5e8,
      '0': 0,
      '-2s': -2e9,
      '1us': 1e3,
      '.5s': 5e8,
      '+1s': 1e9,
    }
    for (const [text, nanoseconds] of Object.entries(table))
      assert.equal(parseGoDuration(text), nanoseconds, text)
  })

  it('refuses what Go refuses', () => {
    for (const text of ['', '5', 's', '1x', '1.2.3s', '.s', '1s1', '9999999999h', '--1s', '1 s', 'toString'])
      assert.throws(() => parseGoDuration(text), /time: /, text)
  })
})

describe('formatGoDuration()', () => {
  it('prints what Go prints', () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, '0s'],
      [1, '1ns'],
      [1500, '1.5µs'],
      [1e6, '1ms'],
      [1.5e9, '1.5s'],
      [60e9, '1m0s'],
      [3_723_000_000_001, '1h2m3.000000001s'],
      [36e12, '10h0m0s'],
    ]
    for (const [nanoseconds, text] of cases) assert.equal(formatGoDuration(nanoseconds), text)
  })
})
