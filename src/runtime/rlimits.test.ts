import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { clampRlimits, posixRlimits } from './rlimits.ts'

describe('clampRlimits()', () => {
  it('lowers to what the machine allows and says so', () => {
    assert.deepEqual(clampRlimits([{ type: 'nofile', soft: 1024, hard: 524_288 }], { nofile: 20_000 }), {
      rlimits: [{ type: 'nofile', soft: 1024, hard: 20_000 }],
      warnings: ['ulimit nofile: 524288 is more than this machine allows; using 20000'],
    })
  })

  it('keeps unlimited where nothing limits', () => {
    assert.deepEqual(clampRlimits([{ type: 'core', soft: -1, hard: -1 }], {}), {
      rlimits: [{ type: 'core', soft: Infinity, hard: Infinity }],
      warnings: [],
    })
  })

  it('never goes above the machine nor soft above hard', () => {
    const limit = fc.integer({ min: -1, max: 1e9 })
    fc.assert(
      fc.property(limit, limit, fc.nat(1e6), (soft, hard, most) => {
        const [clamped] = clampRlimits([{ type: 'nofile', soft, hard }], { nofile: most }).rlimits
        assert.ok(clamped && clamped.soft <= clamped.hard && clamped.hard <= most)
      }),
    )
  })
})

describe('posixRlimits()', () => {
  it('writes unlimited as the exact 64-bit number', () => {
    const text = JSON.stringify(posixRlimits([{ type: 'core', soft: 2 ** 60, hard: Infinity }]))
    assert.equal(text, '[{"type":"RLIMIT_CORE","soft":1152921504606846976,"hard":18446744073709551615}]')
  })

  it('keeps the last of a type, since the specification forbids two', () => {
    const twice = [
      { type: 'nofile', soft: 1, hard: 2 },
      { type: 'nofile', soft: 3, hard: 4 },
    ]
    assert.deepEqual(posixRlimits(twice), [{ type: 'RLIMIT_NOFILE', soft: 3, hard: 4 }])
  })

  it('refuses unknown types', () => {
    assert.throws(() => posixRlimits([{ type: 'x', soft: 1, hard: 1 }]), {
      message: 'invalid ulimit type: x',
    })
  })
})
