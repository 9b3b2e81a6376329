import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseBytes, parseCpus, parseDuration, parseInteger } from './values.ts'

describe('parseBytes()', () => {
  it('counts in powers of 1024', () => {
    const sizes: Record<string, number> = {
      '0': 0,
      '10': 10,
      '1k': 1024,
      '1kB': 1024,
      '32MiB': 2 ** 25,
      '1.5g': 1.5 * 2 ** 30,
      '2 T': 2 ** 41,
      '.5m': 2 ** 19,
      '7b': 7,
    }
    for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseBytes(text), bytes, text)
    for (const text of ['', 'x', '-1', '1 x', '1mm', '1,5g'])
      assert.throws(() => parseBytes(text), /invalid size/, text)
  })
})

describe('parseDuration()', () => {
  it('adds the parts up in nanoseconds', () => {
    const durations: Record<string, number> = {
      '0': 0,
      '5s': 5e9,
      '1h30m': 5400e9,
      '1.5s': 1.5e9,
      '100ms': 1e8,
      '-2m': -120e9,
      '1us': 1e3,
      '1µs': 1e3,
      '3ns': 3,
      '.5h': 1800e9,
    }
    for (const [text, value] of Object.entries(durations)) assert.equal(parseDuration(text), value, text)
    assert.throws(() => parseDuration('5'), /missing unit in duration "5"/)
    assert.throws(() => parseDuration('5d'), /unknown unit "d" in duration "5d"/)
    for (const text of ['', 's', '1s2', 'x', '1 s'])
      assert.throws(() => parseDuration(text), /in duration|invalid duration/, text)
  })
})

describe('parseCpus()', () => {
  it('keeps nine decimal places exactly', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4096 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        (whole, billionths) => {
          assert.equal(parseCpus(`${whole}.${String(billionths).padStart(9, '0')}`), whole * 1e9 + billionths)
        },
      ),
    )
    assert.throws(() => parseCpus('0.0000000001'), /too precise/)
    for (const text of ['', '.', 'x', '1.2.3']) assert.throws(() => parseCpus(text), /rational number/, text)
  })
})

describe('parseInteger()', () => {
  it('knows bases and bounds', () => {
    assert.deepEqual(
      ['12', '-7', '0x1f', '0o17', '0b11', '+3'].map((text) => parseInteger(text)),
      [12, -7, 31, 15, 3, 3],
    )
    assert.throws(
      () => parseInteger('70000', { min: 0, max: 65535 }),
      /ParseUint: parsing "70000": value out of range/,
    )
    assert.throws(() => parseInteger('-1', { min: 0 }), /ParseUint: parsing "-1": invalid syntax/)
  })
})
