import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stringify } from './json.ts'

describe('stringify()', () => {
  it('writes bigints exactly', () => {
    assert.equal(
      stringify({ timeNano: 1_767_323_045_123_456_789n, list: [1n] }),
      '{"timeNano":1767323045123456789,"list":[1]}',
    )
  })

  it('writes everything else as JSON.stringify does', () => {
    const document = { a: undefined, b: null, c: [1.5, 'x'], d: new Date(0) }
    assert.equal(stringify(document), JSON.stringify(document))
  })

  it('refuses a cycle', () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    assert.throws(() => stringify(cycle), TypeError)
  })
})
