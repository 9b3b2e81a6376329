import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isBefore, parseVersion } from './version.ts'

describe('isBefore()', () => {
  it('compares part by part as numbers', () => {
    assert.equal(isBefore('1.9', '1.10'), true)
    assert.equal(isBefore('1.10', '1.9'), false)
    assert.equal(isBefore('1.42', '1.42'), false)
    assert.equal(isBefore('2.0', '1.55'), false)
  })
})

describe('parseVersion()', () => {
  it('gives every run of digits and dots a meaning', () => {
    assert.equal(parseVersion('1.42'), '1.42')
    assert.equal(parseVersion('1'), '1.0')
    assert.equal(parseVersion('1.042.7'), '1.42')
    assert.equal(parseVersion('...'), undefined)
  })
})
