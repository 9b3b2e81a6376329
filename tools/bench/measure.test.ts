import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { median, rotated, timed } from './measure.ts'

describe('median()', () => {
  it('is the middle value when their number is odd', () => {
    assert.equal(median([9, 1, 5]), 5)
  })
  it('lies between the two middle values when their number is even', () => {
    assert.equal(median([1, 9, 3, 5]), 4)
  })
})

describe('rotated()', () => {
  it('puts everybody first in turn', () => {
    const firsts = [0, 1, 2, 3].map((turn) => rotated(['a', 'b', 'c'], turn)[0])
    assert.deepEqual(firsts, ['a', 'b', 'c', 'a'])
  })
})

describe('timed()', () => {
  it('throws what the program complained about when it fails', () => {
    assert.throws(() => timed(['sh', '-c', 'echo no such thing >&2; exit 3']), /ended with 3: no such thing/)
  })
})
