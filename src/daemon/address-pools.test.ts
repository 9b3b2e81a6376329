import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { poolFlags, poolList } from './address-pools.ts'

describe('default address pools', () => {
  it('are read from flags and from the configuration file', () => {
    const pools = [{ base: '10.0.0.0/8', size: 24 }]
    assert.deepEqual(poolFlags(['base=10.0.0.0/8,size=24']), pools)
    assert.deepEqual(poolList(pools), pools)
    assert.equal(poolFlags([]), undefined)
    assert.equal(poolList(undefined), undefined)
  })

  it('are refused when they cannot be ones', () => {
    for (const text of [
      'base=10.0.0.0/8',
      'base=10.0.0.0/24,size=16',
      'base=nonsense/8,size=24',
      'size=24',
      'base=10.0.0.0/8,size=24,x=1',
    ]) {
      assert.throws(() => poolFlags([text]), /invalid default address pool/, text)
    }
    assert.throws(() => poolList({}), /want a list/)
    assert.throws(() => poolList([null]), /base must be a range/)
  })
})
