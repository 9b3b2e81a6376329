import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  boundingSet,
  defaultCapabilities,
  kernelCapabilities,
  normalizeCapabilities,
  processCapabilities,
} from './capabilities.ts'

const all = kernelCapabilities
const choose = (capAdd: readonly string[], capDrop: readonly string[], privileged = false) =>
  boundingSet({ privileged, capAdd, capDrop }, all)

describe('boundingSet()', () => {
  it('gives the 14 defaults', () => {
    assert.equal(defaultCapabilities.length, 14)
    assert.deepEqual(choose([], []), defaultCapabilities)
  })

  it('drops before it adds', () => {
    assert.deepEqual(choose(['CHOWN'], ['CHOWN']), defaultCapabilities)
  })

  it('gives exactly what is added when all are dropped', () => {
    assert.deepEqual(choose(['net_admin', 'cap_chown'], ['ALL']), ['CAP_CHOWN', 'CAP_NET_ADMIN'])
  })

  it('adds all but what is dropped', () => {
    assert.deepEqual(
      choose(['all'], ['SYS_ADMIN']),
      all.filter((name) => name !== 'CAP_SYS_ADMIN'),
    )
  })

  it('gives a privileged container everything, whatever it drops', () => {
    assert.deepEqual(choose([], ['ALL'], true), all)
  })

  it('never gives what the daemon does not have', () => {
    const name = fc.constantFrom('ALL', ...all.map((cap) => cap.slice(4)))
    fc.assert(
      fc.property(fc.subarray([...all]), fc.array(name), fc.boolean(), (available, capDrop, privileged) => {
        const given = boundingSet({ privileged, capAdd: ['ALL'], capDrop }, available)
        assert.ok(given.every((cap) => available.includes(cap)))
        assert.ok(
          boundingSet({ privileged, capAdd: [], capDrop }, available).every((c) => available.includes(c)),
        )
      }),
    )
  })
})

describe('normalizeCapabilities()', () => {
  it('takes any case, with and without prefix', () => {
    assert.deepEqual(normalizeCapabilities(['chown', 'Cap_Kill', 'aLL', 'CAP_ALL'], all), [
      'CAP_CHOWN',
      'CAP_KILL',
      'ALL',
      'ALL',
    ])
  })

  it('refuses names that no kernel knows', () => {
    assert.throws(() => normalizeCapabilities(['fly'], all), { message: 'unknown capability: "CAP_FLY"' })
    assert.throws(() => normalizeCapabilities([''], all), { message: 'unknown capability: "CAP_"' })
  })

  it('refuses names that cannot be given here', () => {
    assert.throws(() => normalizeCapabilities(['BPF'], ['CAP_CHOWN']), {
      message:
        'capability not supported by your kernel or not available in the current environment: "CAP_BPF"',
    })
  })
})

describe('processCapabilities()', () => {
  it('gives a user other than root a bounding set only', () => {
    assert.deepEqual(processCapabilities(['CAP_CHOWN'], 1000), {
      bounding: ['CAP_CHOWN'],
      effective: [],
      permitted: [],
      inheritable: [],
      ambient: [],
    })
  })
})
