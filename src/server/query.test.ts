import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { Query } from './query.ts'

const query = (text: string): Query => new Query(new URLSearchParams(text))

describe('Query.flag()', () => {
  it("follows Docker's rule: five words are false, everything else is true", () => {
    for (const word of ['', '0', 'no', 'false', 'none', 'FALSE', 'None']) {
      assert.equal(query(`a=${word}`).flag('a'), false, word)
    }
    for (const word of ['1', 'true', 'yes', 'off', 'x'])
      assert.equal(query(`a=${word}`).flag('a'), true, word)
  })

  it('uses the default only when the parameter is absent', () => {
    assert.equal(query('').flag('stream', true), true)
    assert.equal(query('stream').flag('stream', true), false)
  })
})

describe('Query.integer()', () => {
  it('reads signed decimal integers and refuses the rest', () => {
    assert.equal(query('t=-1').integer('t'), -1)
    assert.equal(query('t=').integer('t'), undefined)
    for (const text of ['1.5', '0x10', 'ten', '1e3', '99999999999999999999']) {
      assert.throws(
        () => query(`t=${text}`).integer('t'),
        (error) => isKind(error, 'invalid_argument'),
      )
    }
  })
})

describe('Query.required()', () => {
  it('names what is missing', () => {
    assert.throws(() => query('').required('path'), /missing parameter: path/)
  })
})
