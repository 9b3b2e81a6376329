import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bridgeElements, forwardingElements } from './network-elements.ts'
import { type Element, elementId } from './nft-elements.ts'
import { changeTransaction, fullTransaction, guardChangeCommand, guardCommand } from './nft-table.ts'

const forward = (hostIp: string) =>
  forwardingElements({ hostIp, hostPort: 8080, protocol: 'tcp', ip: '172.17.0.2', port: 80, comment: 'abc' })

const byId = (elements: readonly Element[]) =>
  new Map(elements.map((element) => [elementId(element), element]))

const subnets = [
  { subnet: '10.0.0.0/24', gateway: '10.0.0.1' },
  { subnet: 'fd00::/64', gateway: '' },
]

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
