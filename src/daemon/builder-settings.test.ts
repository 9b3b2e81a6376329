import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { builderSettings } from './builder-settings.ts'

describe('builderSettings()', () => {
  it("gives by itself the host's network to builds that ask, and privileges to none", () => {
    assert.deepEqual(builderSettings(undefined, undefined), {
      entitlements: new Set(['network.host']),
      keepStorage: undefined,
      classic: false,
    })
  })

  it('reads what dockerd reads', () => {
    const section = {
      entitlements: { 'network-host': false, 'security-insecure': true },
      gc: { enabled: true, defaultKeepStorage: '20GB' },
    }
    assert.deepEqual(builderSettings(section, undefined), {
      entitlements: new Set(['security.insecure']),
      keepStorage: 20e9,
      classic: false,
    })
    assert.equal(builderSettings({ gc: { enabled: false } }, {}).keepStorage, Number.POSITIVE_INFINITY)
    assert.equal(builderSettings({ gc: { defaultMaxUsedSpace: '1.5m' } }, {}).keepStorage, 1_500_000)
  })

  it('names what it does not understand', () => {
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [[], /builder must be an object/],
      [{ other: 1 }, /builder: unknown key "other"/],
      [{ entitlements: { device: true } }, /builder\.entitlements: unknown key "device"/],
      [{ entitlements: { 'network-host': 1 } }, /network-host must be true or false/],
      [{ gc: { policy: [] } }, /builder\.gc: unknown key "policy"/],
      [{ gc: { defaultKeepStorage: 'much' } }, /"much" is no size/],
    ]
    for (const [section, message] of wrong)
      assert.throws(() => builderSettings(section, undefined), { code: 'CONFIG_INVALID', message })
  })
})
