import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { byVersion, naturally } from './tag-order.ts'

describe('byVersion()', () => {
  it('puts newer versions first, releases before their candidates, and names last', () => {
    const tags = ['latest', '1.9', 'v2.0.0', '1.10', '2.0.0-rc.2', '2.0.0-rc.10', '1.10-alpine', 'edge', '1']
    assert.deepEqual(tags.toSorted(byVersion), [
      'v2.0.0',
      '2.0.0-rc.10',
      '2.0.0-rc.2',
      '1.10',
      '1.10-alpine',
      '1.9',
      '1',
      'edge',
      'latest',
    ])
  })

  it('is an order, whatever the tags are', () => {
    const tag = fc.stringMatching(/^v?[0-9a-z]{1,3}([.-][0-9a-z]{1,2}){0,3}$/)
    fc.assert(
      fc.property(fc.uniqueArray(tag, { maxLength: 8 }), (tags) => {
        const sorted = tags.toSorted(byVersion)
        assert.deepEqual(tags.toReversed().toSorted(byVersion), sorted)
      }),
    )
  })
})

describe('naturally()', () => {
  it('counts runs of digits', () => {
    assert.deepEqual(['a10', 'a9', 'a'].toSorted(naturally), ['a', 'a9', 'a10'])
  })
})
