import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { binarySize, ellipsis, goTimeOf, humanDuration, humanSize } from './units.ts'

describe('humanDuration()', () => {
  it('says what Docker says', () => {
    const minute = 60
    const hour = 3600
    const day = 24 * hour
    const said: [number, string][] = [
      [0.9, 'Less than a second'],
      [1, '1 second'],
      [59, '59 seconds'],
      [60, 'About a minute'],
      [119, 'About a minute'],
      [2 * minute, '2 minutes'],
      [59 * minute, '59 minutes'],
      [60 * minute, 'About an hour'],
      [89 * minute, 'About an hour'],
      [90 * minute, '2 hours'],
      [47 * hour, '47 hours'],
      [2 * day, '2 days'],
      [13 * day, '13 days'],
      [14 * day, '2 weeks'],
      [59 * day, '8 weeks'],
      [60 * day, '2 months'],
      [729 * day, '24 months'],
      [730 * day, '2 years'],
    ]
    for (const [seconds, text] of said) assert.equal(humanDuration(seconds), text, String(seconds))
  })
})

describe('humanSize()', () => {
  it('keeps so many significant digits and never shows a thousand of a unit', () => {
    const sizes: [number, number, string][] = [
      [0, 3, '0B'],
      [999, 3, '999B'],
      [1234, 3, '1.23kB'],
      [187_654_321, 3, '188MB'],
      [187_654_321, 4, '187.7MB'],
      [999_900, 3, '1MB'],
      [1_500_000_000, 4, '1.5GB'],
    ]
    for (const [bytes, digits, text] of sizes) assert.equal(humanSize(bytes, digits), text)
    assert.equal(binarySize(12_300_000), '11.73MiB')
    assert.equal(binarySize(2 ** 30), '1GiB')
  })
})

describe('ellipsis()', () => {
  it('counts characters, not code units', () => {
    assert.equal(ellipsis('abc', 3), 'abc')
    assert.equal(ellipsis('abcd', 3), 'ab…')
    assert.equal(ellipsis('😀😀😀😀', 3), '😀😀…')
  })
})

describe('goTimeOf()', () => {
  it('keeps zone and decimal places', () => {
    assert.equal(goTimeOf('2024-01-02T03:04:05.120Z'), '2024-01-02 03:04:05.12 +0000 UTC')
    assert.equal(goTimeOf('2024-01-02T03:04:05+02:00'), '2024-01-02 03:04:05 +0200 +0200')
  })
})
