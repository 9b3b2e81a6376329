import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { linuxResources } from './resources.ts'

describe('linuxResources()', () => {
  it('is empty when nothing is limited', () => {
    assert.deepEqual(linuxResources({}, 'v2'), {})
    assert.deepEqual(linuxResources({ memory: 0, nanoCpus: 0, cpuShares: 0, memorySwap: 0 }, 'v1'), {})
  })

  it('turns nano-cpus into a quota of the default period', () => {
    assert.deepEqual(linuxResources({ nanoCpus: 10_000_000 }, 'v2').cpu, { period: 100_000, quota: 1000 })
  })

  it('says -1 for unlimited swap only in an update, where it must undo a limit', () => {
    const given = { memory: 1, memorySwap: -1 }
    assert.equal(linuxResources(given, 'v2').memory?.swap, undefined)
    assert.equal(linuxResources(given, 'v2', { update: true }).memory?.swap, -1)
  })

  it('says -1 for no limit of processes', () => {
    for (const limit of [0, -1]) {
      assert.deepEqual(linuxResources({ pidsLimit: limit, cpuQuota: limit }, 'v1', { update: true }), {})
    }
  })

  it('leaves out what v2 has no knob for', () => {
    const given = { memorySwappiness: 0, oomKillDisable: true, cpuRealtimeRuntime: 1, cpuRealtimePeriod: 1 }
    assert.deepEqual(linuxResources(given, 'v2'), {})
    assert.deepEqual(linuxResources(given, 'v1').memory, { swappiness: 0, disableOOMKiller: true })
  })
})
