import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Element } from './nft-table.ts'
import {
  bridgeElements,
  changeTransaction,
  elementId,
  forwardingElements,
  fullTransaction,
  guardChangeCommand,
  guardCommand,
  parseListing,
  sameElements,
} from './nft-table.ts'

const forward = (hostIp: string, ip = '172.17.0.2', protocol: 'tcp' | 'udp' = 'tcp') =>
  forwardingElements({ hostIp, hostPort: 8080, protocol, ip, port: 80, comment: 'abc' })

const byId = (elements: readonly Element[]) =>
  new Map(elements.map((element) => [elementId(element), element]))

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

describe('changeTransaction()', () => {
  it('joins neighbours of one kind and keeps the order', () => {
    const [nat, self] = forward('0.0.0.0')
    assert.ok(nat !== undefined && self !== undefined)
    assert.equal(
      changeTransaction('berth', [
        { op: 'delete', element: nat },
        { op: 'add', element: nat },
        { op: 'add', element: { ...nat, key: 'udp . 9', comment: undefined } },
        { op: 'add', element: self },
      ]),
      `delete element inet berth dnat4any { tcp . 8080 }
add element inet berth dnat4any { tcp . 8080 comment "abc" : 172.17.0.2 . 80, udp . 9 : 172.17.0.2 . 80 }
add element inet berth self4 { 172.17.0.2 . tcp . 8080 comment "abc" }
`,
    )
  })
})

describe('fullTransaction()', () => {
  it('replaces the table and holds no rule per container', () => {
    const bridge = bridgeElements('berth0', subnets, { icc: true })
    const text = fullTransaction({ table: 'berth', closed: false }, byId([...bridge, ...forward('0.0.0.0')]))
    assert.match(text, /^table inet berth\ndelete table inet berth\ntable inet berth \{/)
    assert.match(text, /add element inet berth bridges \{ "berth0" \}\n/)
    assert.match(text, /add element inet berth icc \{ "berth0" \. "berth0" \}\n/)
    assert.match(text, /add element inet berth subnets6 \{ fd00::\/64 \}\n/)
    const chains = text.slice(0, text.indexOf('add element'))
    assert.ok(!chains.includes('8080') && !chains.includes('10.0') && !chains.includes('berth0'))
    assert.ok(!chains.includes('oifkind'))
    assert.match(fullTransaction({ table: 'berth', closed: true }, new Map()), /oifkind/)
  })
})

describe('guardCommand(), guardChangeCommand()', () => {
  const options = { table: 'g', closed: true }

  it('isolate in one line, and know nothing of published ports', () => {
    const bridge = bridgeElements('berth0', subnets, { icc: true, internal: true })
    const command = guardCommand(options, byId([...bridge, ...forward('0.0.0.0')]))
    assert.match(command, /^table inet g \{ flags owner; set \w+ \{ type ifname/)
    assert.match(command, /; add element inet g to \{ "berth0" : jump enclosed \};/)
    assert.match(command, /oifkind/)
    assert.doesNotMatch(command, /\n|#|dnat4|8080|masquerade|10\.0\.0/)
    // Every set that a rule looks at is there.
    for (const [, name] of command.matchAll(/@(\w+)/g))
      assert.match(command, new RegExp(`(set|map) ${name} \\{`))
  })

  it('pass over changes that isolate nobody', () => {
    const bridge = bridgeElements('berth0', subnets, { icc: false })
    assert.equal(
      guardChangeCommand(
        options,
        bridge.map((element) => ({ op: 'delete', element })),
      ),
      `delete element inet g apart { "berth0" . "berth0" }; delete element inet g from { "berth0" }; delete element inet g to { "berth0" };`,
    )
    const ports = forward('0.0.0.0').map((element) => ({ op: 'add', element }) as const)
    assert.equal(guardChangeCommand(options, ports), '')
  })
})

describe('parseListing()', () => {
  // As printed by nft 1.0.6.
  const listing = (handle: number, protocol: string | number = 'tcp') =>
    JSON.stringify({
      nftables: [
        { metainfo: { version: '1.0.6', json_schema_version: 1 } },
        { table: { family: 'inet', name: 'berth', handle } },
        {
          set: {
            family: 'inet',
            name: 'bridges',
            table: 'berth',
            type: 'ifname',
            handle,
            elem: ['berth0'],
          },
        },
        {
          set: {
            family: 'inet',
            name: 'icc',
            table: 'berth',
            type: ['ifname', 'ifname'],
            handle,
            elem: [{ concat: ['berth0', 'berth0'] }],
          },
        },
        {
          set: {
            family: 'inet',
            name: 'subnets4',
            table: 'berth',
            type: 'ipv4_addr',
            handle,
            elem: [{ prefix: { addr: '172.17.0.0', len: 16 } }],
          },
        },
        {
          map: {
            family: 'inet',
            name: 'dnat4any',
            table: 'berth',
            type: ['inet_proto', 'inet_service'],
            handle,
            elem: [
              [
                { elem: { val: { concat: [protocol, 8080] }, comment: 'abc' } },
                { concat: ['172.17.0.2', 80] },
              ],
            ],
          },
        },
        {
          map: {
            family: 'inet',
            name: 'from',
            table: 'berth',
            type: 'ifname',
            handle,
            map: 'verdict',
            elem: [
              ['berth0', { goto: { target: 'outward' } }],
              ['br-1', { jump: { target: 'enclosed' } }],
            ],
          },
        },
        { set: { family: 'inet', name: 'theirs', table: 'berth', type: 'ifname', handle, elem: ['eth0'] } },
        { chain: { family: 'inet', table: 'berth', name: 'inward', handle } },
      ],
    })

  it('gives elements in our spelling and the rest without handles', () => {
    const { elements, structure } = parseListing(listing(1))
    const expected = byId([
      { set: 'bridges', key: '"berth0"' },
      { set: 'icc', key: '"berth0" . "berth0"' },
      { set: 'subnets4', key: '172.17.0.0/16' },
      { set: 'from', key: '"berth0"', value: 'goto outward' },
      { set: 'from', key: '"br-1"', value: 'jump enclosed' },
      ...forward('0.0.0.0').slice(0, 1),
    ])
    assert.ok(sameElements(elements, expected))
    assert.equal(structure, parseListing(listing(2)).structure)
    assert.ok(structure.includes('inward'))
  })

  it('knows protocols by number, as printed where there is no /etc/protocols', () => {
    assert.ok(sameElements(parseListing(listing(1, 6)).elements, parseListing(listing(1, 'tcp')).elements))
  })

  it('throws when the text is cut off', () => {
    assert.throws(() => parseListing(listing(1).slice(0, -9)), SyntaxError)
  })
})

describe('sameElements()', () => {
  it('sees another value, another owner, one too many', () => {
    const [nat] = forward('0.0.0.0')
    assert.ok(nat !== undefined)
    assert.ok(!sameElements(byId([nat]), byId([{ ...nat, value: '172.17.0.3 . 80' }])))
    assert.ok(!sameElements(byId([nat]), byId([{ ...nat, comment: 'other' }])))
    assert.ok(!sameElements(byId([nat]), byId([])))
  })
})
