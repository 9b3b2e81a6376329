import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { automaticRules, type CacheItem, chooseForRemoval, type PruneRules } from './prune-policy.ts'

const DAY = 24 * 60 * 60 * 1000
const NOW = 100 * DAY

function item(id: string, change: Partial<CacheItem> = {}): CacheItem {
  return {
    id,
    type: 'regular',
    description: id,
    parents: [],
    inUse: false,
    shared: false,
    size: 10,
    createdAt: 0,
    usedAt: 0,
    uses: 1,
    ...change,
  }
}

const everything: PruneRules = { all: false, matches: () => true }

describe('chooseForRemoval()', () => {
  it('takes all that matches, least recently used first, and what was made from something before it', () => {
    const items = [
      item('base', { usedAt: 5, createdAt: 1 }),
      item('top', { usedAt: 5, createdAt: 2 }),
      item('old', { usedAt: 1 }),
    ]
    assert.deepEqual(chooseForRemoval(items, everything, 0), ['old', 'top', 'base'])
    assert.deepEqual(chooseForRemoval(items, { ...everything, matches: ({ id }) => id === 'top' }, 0), [
      'top',
    ])
  })

  it('leaves what a running build has, and without --all what images have', () => {
    const items = [item('running', { inUse: true }), item('image', { shared: true }), item('free')]
    assert.deepEqual(chooseForRemoval(items, everything, 0), ['free'])
    assert.deepEqual(chooseForRemoval(items, { ...everything, all: true }, 0).toSorted(), ['free', 'image'])
  })

  it('stops when no more than the most is left, or the reserve', () => {
    const items = ['a', 'b', 'c', 'd'].map((id, usedAt) => item(id, { usedAt }))
    assert.deepEqual(chooseForRemoval(items, { ...everything, maxUsedSpace: 25 }, 0), ['a', 'b'])
    assert.deepEqual(chooseForRemoval(items, { ...everything, maxUsedSpace: 40 }, 0), [])
    assert.deepEqual(chooseForRemoval(items, { ...everything, reservedSpace: 15 }, 0), ['a', 'b', 'c'])
    assert.deepEqual(chooseForRemoval(items, { ...everything, maxUsedSpace: 5, reservedSpace: 30 }, 0), ['a'])
  })

  it('makes as much of the disk free as it should, and no more', () => {
    const items = ['a', 'b', 'c', 'd'].map((id, usedAt) => item(id, { usedAt }))
    assert.deepEqual(chooseForRemoval(items, { ...everything, minFreeSpace: 100 }, 100), [])
    assert.deepEqual(chooseForRemoval(items, { ...everything, minFreeSpace: 100 }, 85), ['a', 'b'])
    assert.deepEqual(chooseForRemoval(items, { ...everything, minFreeSpace: 100, reservedSpace: 30 }, 0), [
      'a',
    ])
    assert.deepEqual(chooseForRemoval(items, { ...everything, minFreeSpace: 100, maxUsedSpace: 30 }, 100), [
      'a',
    ])
  })

  it('removes nothing for space that would free none', () => {
    const items = [item('image', { shared: true }), item('empty', { size: 0 }), item('free', { usedAt: 9 })]
    assert.deepEqual(chooseForRemoval(items, { ...everything, all: true, maxUsedSpace: 5 }, 0), ['free'])
  })

  it('never takes by itself what was used within a day, however little may be kept', () => {
    const arbitrary = fc.record({
      usedAt: fc.integer({ min: 0, max: NOW }),
      size: fc.nat(100),
      shared: fc.boolean(),
      inUse: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(arbitrary), fc.nat(300), (changes, limit) => {
        const items = changes.map((change, i) => item(String(i), change))
        const gone = new Set(chooseForRemoval(items, automaticRules(limit, NOW), 0))
        for (const { id, usedAt, inUse, shared } of items) {
          if (gone.has(id)) assert.ok(usedAt <= NOW - DAY && !inUse && !shared)
        }
        const used = items.reduce((sum, { id, shared, size }) => sum + (shared || gone.has(id) ? 0 : size), 0)
        const more = items.some(
          ({ id, usedAt, inUse, shared, size }) =>
            !gone.has(id) && usedAt <= NOW - DAY && !inUse && !shared && size > 0,
        )
        // Either it fits, or there is nothing left that may go.
        assert.ok(limit === 0 || used <= limit || !more)
      }),
    )
  })
})
