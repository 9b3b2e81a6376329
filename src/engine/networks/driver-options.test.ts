import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bridgeOptions, withFamilies } from './driver-options.ts'

describe('withFamilies()', () => {
  const v4 = 'com.docker.network.enable_ipv4'
  const v6 = 'com.docker.network.enable_ipv6'

  it('takes from options what the request does not say, and drops what it overrules', () => {
    const options = { [v4]: 'false', [v6]: 'true', other: 'x' }
    const asked = { Name: 'n', Options: options }
    assert.deepEqual(withFamilies(asked), { ...asked, EnableIPv4: false, EnableIPv6: true })
    assert.deepEqual(withFamilies({ ...asked, EnableIPv4: true, EnableIPv6: false }), {
      Name: 'n',
      Options: { other: 'x' },
      EnableIPv4: true,
      EnableIPv6: false,
    })
    assert.deepEqual(withFamilies({ Name: 'n', EnableIPv6: null }), { Name: 'n', EnableIPv6: null })
  })

  it('refuses what is neither true nor false', () => {
    assert.throws(() => withFamilies({ Name: 'n', Options: { [v6]: 'maybe' } }), {
      message: `driver-opt "${v6}" is not a valid bool`,
    })
  })
})

describe('bridgeOptions()', () => {
  it('refuses announcements that nobody could make', () => {
    const [ms, count] = ['com.docker.network.advertise_addr_ms', 'com.docker.network.advertise_addr_nmsgs']
    bridgeOptions({ [ms]: '100', [count]: '0' }, false)
    for (const [options, message] of [
      [{ [ms]: '99' }, `${ms} must be in the range 100 to 2000`],
      [{ [ms]: 'soon' }, `value for option ${ms} "soon" must be integer milliseconds`],
      [{ [count]: '4' }, `${count} must be in the range 0 to 3`],
      [{ [count]: '-1' }, `${count} must be in the range 0 to 3`],
      [{ [count]: '' }, `value for option ${count} "" must be an integer`],
    ] as const) {
      assert.throws(() => bridgeOptions(options, false), { message })
    }
  })
})
