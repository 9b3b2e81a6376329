import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { didYouMean, nearest } from './nearest.ts'

describe('nearest()', () => {
  it('is at most two slips away', () => {
    assert.equal(nearest('FORM', ['RUN', 'FROM']), 'FROM')
    assert.equal(nearest('abc', ['xyz']), undefined)
    assert.equal(nearest('a', ['a', 'b']), undefined)
    assert.equal(didYouMean('chmdo', ['chown', 'chmod']), ' (did you mean chmod?)')
  })
})
