import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { anyPattern, compilePattern } from './pattern.ts'
import { readList, Section } from './section.ts'
import { parseDuration, parseSize } from './units.ts'

describe('compilePattern()', () => {
  it('keeps to one component with *, and crosses slashes with **', () => {
    assert.ok(compilePattern('team/*')('team/app'))
    assert.ok(!compilePattern('team/*')('team/app/debug'))
    assert.ok(compilePattern('team/**')('team/app/debug'))
    assert.ok(compilePattern('v?.*')('v1.2'))
    assert.ok(!compilePattern('a.c')('abc'))
  })

  it('takes a regular expression between slashes', () => {
    assert.ok(compilePattern('/^v\\d+$/')('v12'))
    assert.ok(!compilePattern('/^v\\d+$/')('v1.2'))
  })

  it('anyPattern() has an answer for no patterns', () => {
    assert.ok(anyPattern([], true)('x'))
    assert.ok(!anyPattern([], false)('x'))
    assert.ok(anyPattern(['a', 'x'], false)('x'))
  })
})

describe('units', () => {
  it('reads durations', () => {
    assert.deepEqual(
      ['90s', '1h30m', '7d', '0', '250ms'].map(parseDuration),
      [90_000, 5_400_000, 604_800_000, 0, 250],
    )
    assert.deepEqual(['', '5', 'h', '1h 2m', '-1s', 7].map(parseDuration), Array(6).fill(undefined))
  })

  it('reads sizes', () => {
    assert.deepEqual([17, '17', '500MB', '10GiB', '4k', '1 KiB'].map(parseSize), [
      17,
      17,
      5e8,
      10 * 2 ** 30,
      4000,
      1024,
    ])
    assert.deepEqual([-1, 1.5, 'x', '5iB', '5 PB'].map(parseSize), Array(5).fill(undefined))
  })
})

describe('Section', () => {
  it('names the key that is wrong, and the one it does not know', () => {
    const read = (value: unknown): unknown =>
      readList(value, 'webhooks', (section) => ({
        url: section.url('url').href,
        n: section.count('attempts'),
      }))
    assert.deepEqual(read([{ url: 'http://h/', attempts: 2 }]), [{ url: 'http://h/', n: 2 }])
    assert.throws(() => read([{ url: 'ftp://h/' }]), /webhooks\[0\]\.url: want an http or https URL/)
    assert.throws(() => read([{ url: 'http://ann:secret@h/' }]), /url: credentials have keys of their own/)
    assert.throws(() => read([{ url: 'http://h/', tries: 1 }]), /webhooks\[0\]\.tries is not a setting/)
    assert.throws(
      () => read({}),
      (error) => isKind(error, 'invalid_argument'),
    )
    assert.throws(() => new Section([], 'quota'), /quota: want an object/)
  })
})
