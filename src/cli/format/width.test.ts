import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { columnsOf, fitted } from './width.ts'

describe('columnsOf()', () => {
  it('counts what a terminal draws', () => {
    assert.equal(columnsOf('make'), 4)
    assert.equal(columnsOf('\u001b[34mmake\u001b[39m'), 4)
    assert.equal(columnsOf('日本'), 4)
    assert.equal(columnsOf('🚀'), 2)
    assert.equal(columnsOf('e\u0301'), 1)
  })
})

describe('fitted()', () => {
  it('leaves what fits, and ends the rest with an ellipsis', () => {
    assert.equal(fitted('make', 4), 'make')
    assert.equal(fitted('make all', 5), 'make…')
    assert.equal(fitted('make', 1), '…')
    assert.equal(fitted('make', 0), '')
  })

  it('never is wider, also where a wide character would stand in the last columns', () => {
    for (const text of ['日本語のテキスト', 'a🚀b🚀c', 'e\u0301e\u0301e\u0301']) {
      for (let columns = 0; columns < 20; columns++) assert.ok(columnsOf(fitted(text, columns)) <= columns)
    }
  })
})
