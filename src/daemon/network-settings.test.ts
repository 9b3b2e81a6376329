import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { networkSettings, splitNetworkKeys } from './network-settings.ts'

describe('networkSettings()', () => {
  it('takes flags over the file', () => {
    const file = {
      bip: '10.1.0.1/24',
      'fixed-cidr': '10.1.0.128/25',
      'host-gateway-ips': ['10.9.9.9', 'fd00::9'],
    }
    const of = (flags: object) => networkSettings({ ...flags }, file)
    assert.deepEqual(
      [of({}).address, of({}).range, of({}).hostGateways],
      ['10.1.0.1/24', '10.1.0.128/25', ['10.9.9.9', 'fd00::9']],
    )
    assert.equal(of({ bip: '10.2.0.1/16' }).address, '10.2.0.1/16')
    assert.deepEqual(of({ 'host-gateway-ip': ['10.8.8.8'] }).hostGateways, ['10.8.8.8'])
    assert.deepEqual(networkSettings({}, { 'host-gateway-ip': '10.7.7.7' }).hostGateways, ['10.7.7.7'])
  })

  it('makes a range that nothing else is said about the whole network', () => {
    const { address, address6, range } = networkSettings(
      {},
      { 'fixed-cidr': '10.20.0.0/16', 'fixed-cidr-v6': '2001:db8:7::/64' },
    )
    assert.deepEqual([address, address6, range], ['10.20.0.1/16', '2001:db8:7::1/64', '10.20.0.0/16'])
    assert.equal(networkSettings({}, { bip6: 'fd00:1::7/64' }).address6, 'fd00:1::7/64')
  })

  it('chooses when nothing is said', () => {
    const { address, address6, range, hostGateways, mtu } = networkSettings({}, {})
    assert.deepEqual(
      [address, address6, range, mtu, hostGateways],
      [undefined, undefined, undefined, undefined, []],
    )
  })

  for (const [file, message] of [
    [{ bip: '10.0.0.1' }, /"bip" is not an IPv4 address with the length of its prefix: "10.0.0.1"/],
    [{ bip: 'fd00::1/64' }, /"bip" is not an IPv4 address/],
    [{ bip: '10.0.0.1/31' }, /"bip" is not an IPv4 address/],
    [{ bip6: '10.0.0.1/24' }, /"bip6" is not an IPv6 address/],
    [{ 'fixed-cidr': 'many' }, /"fixed-cidr" is not an IPv4 address/],
    [{ 'fixed-cidr': 7 }, /"fixed-cidr" must be a string/],
    [{ 'host-gateway-ips': ['home'] }, /"host-gateway-ips" has what is no IP address: "home"/],
    [{ mtu: 7 }, /"mtu" must be a number of bytes from 68 to 65535/],
  ] as const) {
    it(`refuses ${JSON.stringify(file)}`, () => {
      assert.throws(() => networkSettings({}, file), message)
    })
  }
})

it('splitNetworkKeys() leaves what is not its own', () => {
  assert.deepEqual(splitNetworkKeys({ bip6: 'a', hosts: [] }), [{ bip6: 'a' }, { hosts: [] }])
})
