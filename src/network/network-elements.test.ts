import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bridgeElements, forwardingElements } from './network-elements.ts'

const forward = (hostIp: string, ip = '172.17.0.2', protocol: 'tcp' | 'udp' = 'tcp') =>
  forwardingElements({ hostIp, hostPort: 8080, protocol, ip, port: 80, comment: 'abc' })

const subnets = [
  { subnet: '10.0.0.0/24', gateway: '10.0.0.1' },
  { subnet: 'fd00::/64', gateway: '' },
]

describe('bridgeElements()', () => {
  const setsOf = (rules: Parameters<typeof bridgeElements>[2]): string[] =>
    bridgeElements('br0', subnets, rules).map(({ set, key }) => `${set} ${key}`)

  it('masquerade what leaves and close what comes in, unless told otherwise', () => {
    const always = [
      'bridges "br0"',
      'icc "br0" . "br0"',
      'from "br0"',
      'to "br0"',
      'subnets4 10.0.0.0/24',
      'subnets6 fd00::/64',
      'gateways4 10.0.0.0/24',
    ]
    assert.deepEqual(setsOf({ icc: true }), [...always, 'masq4 10.0.0.0/24', 'masq6 fd00::/64'])
    assert.deepEqual(setsOf({ icc: true, modes: { v4: 'routed', v6: 'nat-unprotected' } }), [
      ...always,
      'masq6 fd00::/64',
      'routed4 "br0"',
      'unprotected6 "br0"',
    ])
    assert.deepEqual(setsOf({ icc: true, masquerade: false, trusted: ['eth1', 'wg0'] }), [
      ...always,
      'trusted "eth1" . "br0"',
      'trusted "wg0" . "br0"',
    ])
  })

  it('keep containers apart, and let nobody into what is internal', () => {
    assert.ok(setsOf({ icc: false }).includes('apart "br0" . "br0"'))
    assert.ok(!setsOf({ icc: false }).some((text) => text.startsWith('icc')))
    const modes = { v4: 'routed', v6: 'nat-unprotected' } as const
    const inside = setsOf({ icc: true, internal: true, modes, trusted: ['eth1'] })
    assert.ok(!inside.some((text) => /^(masq|routed|unprotected|trusted)/.test(text)))
  })
})

describe('forwardingElements()', () => {
  it('uses the wildcard map only for wildcard addresses', () => {
    assert.deepEqual(forward('0.0.0.0'), [
      { set: 'dnat4any', key: 'tcp . 8080', value: '172.17.0.2 . 80', comment: 'abc' },
      { set: 'self4', key: '172.17.0.2 . tcp . 8080', comment: 'abc' },
    ])
    assert.deepEqual(forward('127.0.0.1')[0], {
      set: 'dnat4',
      key: '127.0.0.1 . tcp . 8080',
      value: '172.17.0.2 . 80',
      comment: 'abc',
    })
    assert.equal(forward('FD00::0:1', 'fd00::2')[0]?.key, 'fd00::1 . tcp . 8080')
    assert.equal(forward('::', 'fd00::2')[0]?.set, 'dnat6any')
  })

  it('has sockets for all addresses answer datagrams from the one that was asked', () => {
    const relayed6 = { set: 'relayed6', key: '8080', comment: 'abc' }
    assert.deepEqual(forward('::', '172.17.0.2', 'udp'), [relayed6])
    assert.deepEqual(forward('::', 'fd00::2', 'udp')[0], relayed6)
    const sets = forward('192.0.2.1', '172.17.0.2', 'udp').map(({ set }) => set)
    assert.deepEqual(sets, ['dnat4', 'self4'])
  })

  it('leaves to userland what the kernel cannot translate', () => {
    assert.deepEqual([...forward('::'), ...forward('::1', 'fd00::2'), ...forward('0.0.0.0', 'fd00::2')], [])
  })
})
