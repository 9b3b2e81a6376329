import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { forwardingElements } from './network-elements.ts'
import { type Element, elementId, sameElements } from './nft-elements.ts'
import { parseListing } from './nft-listing.ts'

const forward = (hostIp: string) =>
  forwardingElements({ hostIp, hostPort: 8080, protocol: 'tcp', ip: '172.17.0.2', port: 80, comment: 'abc' })

const byId = (elements: readonly Element[]) =>
  new Map(elements.map((element) => [elementId(element), element]))

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
