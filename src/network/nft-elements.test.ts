import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Element, besides, elementId } from './nft-elements.ts'

const map = (...elements: readonly Element[]) => new Map(elements.map((one) => [elementId(one), one]))

describe('besides()', () => {
  it('leaves out ranges that overlap others of their set', () => {
    const stays = [
      { set: 'subnets4', key: '10.1.0.0/16' },
      { set: 'masq4', key: '10.0.0.0/24' },
      { set: 'dnat4any', key: 'tcp . 80', value: '10.0.0.2 . 80' },
      { set: 'subnets6', key: 'fd00::/64' },
    ] as const
    const left = map(
      ...stays,
      { set: 'subnets4', key: '10.0.0.0/24' },
      { set: 'subnets4', key: '10.0.0.1-10.0.0.9' },
    )
    const own = map({ set: 'subnets4', key: '10.0.0.0/16' }, { set: 'subnets6', key: 'fd00::/64' })
    assert.deepEqual([...besides(left, own).values()], stays)
  })
})
