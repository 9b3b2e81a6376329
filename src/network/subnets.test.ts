import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encloses, formatCidr, overlaps, parseCidr } from './address.ts'
import type { NetworkRequest, SubnetRequest } from './networks.ts'
import { type Surroundings, chooseSubnets, defaultPoolBases, freeSubnet } from './subnets.ts'

const around = (taken: readonly string[] = [], routes: readonly string[] = []): Surroundings => ({
  networks: taken.map((subnet) => ({ name: 'other', subnet: parseCidr(subnet) })),
  routes: routes.map(parseCidr),
  pools: defaultPoolBases,
  seed: 'engine',
})

function request(
  subnets: readonly SubnetRequest[] = [],
  families = { ipv4: true, ipv6: false },
): NetworkRequest {
  return {
    id: 'a',
    name: 'a',
    link: 'br-a',
    mtu: 1500,
    internal: false,
    icc: true,
    masquerade: true,
    subnets,
    ...families,
  }
}

const chosen = (asked: NetworkRequest, surroundings: Surroundings): string[] =>
  chooseSubnets(asked, surroundings).map(({ subnet, gateway }) => `${subnet} ${gateway}`)

describe('chooseSubnets()', () => {
  it('takes the first /24 that no network and no route has', () => {
    assert.deepEqual(chosen(request(), around()), ['172.18.0.0/24 172.18.0.1'])
    assert.deepEqual(chosen(request(), around(['172.18.0.0/24'], ['172.18.1.7'])), [
      '172.18.2.0/24 172.18.2.1',
    ])
    assert.deepEqual(chosen(request(), around([], ['172.16.0.0/12'])), ['192.168.16.0/24 192.168.16.1'])
  })

  it('keeps no address for a gateway that nobody would ask', () => {
    const asked = { ...request([{ subnet: '192.0.2.0/31' }]), inhibit4: true }
    assert.deepEqual(chosen({ ...asked, internal: true }, around()), ['192.0.2.0/31 '])
    assert.deepEqual(chosen(asked, around()), ['192.0.2.0/31 192.0.2.0'])
  })

  it('says when there is none', () => {
    assert.throws(() => chosen(request(), around([], ['172.16.0.0/12', '192.168.0.0/16'])), {
      message: 'all predefined address pools have been fully subnetted',
    })
  })

  it('keeps what was asked for, unless another network has it', () => {
    const asked = request([
      { subnet: '10.0.0.0/16', range: '10.0.4.0/24' },
      { subnet: 'fd00:1::/64', gateway: 'fd00:1::5' },
    ])
    assert.deepEqual(chosen(asked, around([], ['10.0.0.0/8'])), [
      '10.0.0.0/16 10.0.4.0',
      'fd00:1::/64 fd00:1::5',
    ])
    assert.throws(
      () => chosen(asked, around(['10.0.9.0/24'])),
      /Pool overlaps with other one on this address space/,
    )
  })

  it('refuses a second subnet of a family on a bridge, and one that overlaps another of the same network', () => {
    const two = request([{ subnet: '10.0.0.0/24' }, { subnet: '10.0.1.0/24' }])
    assert.throws(() => chosen(two, around()), { message: "bridge driver doesn't support multiple subnets" })
    const overlapping = request([{ subnet: '10.0.0.0/16' }, { subnet: '10.0.1.0/24' }])
    const shared = { kind: 'ipvlan', parent: 'eth0', mode: 'l2', flag: 'bridge' } as const
    for (const asked of [overlapping, { ...overlapping, shared }]) {
      assert.throws(() => chosen(asked, around()), /Pool overlaps with other one on this address space/)
    }
    assert.equal(chosen({ ...two, shared }, around()).length, 2)
  })

  it('keeps the gateway for itself, also when it has chosen it', () => {
    const auxiliary = { router: '10.0.0.1' }
    for (const asked of [{ gateway: '10.0.0.1' }, {}]) {
      assert.throws(() => chosen(request([{ subnet: '10.0.0.0/24', auxiliary, ...asked }]), around()), {
        message: 'failed to allocate secondary ip address (router:10.0.0.1): Address already in use',
      })
    }
  })

  it('finds a subnet of a size that was asked for', () => {
    assert.deepEqual(chosen(request([{ subnet: '0.0.0.0/28' }]), around(['172.18.0.0/24'])), [
      '172.18.1.0/28 172.18.1.1',
    ])
  })

  it('derives IPv6 subnets from the engine', () => {
    const dual = request([], { ipv4: true, ipv6: true })
    const [, v6 = ''] = chosen(dual, around())
    assert.match(v6, /^fd[0-9a-f:]+\/64 fd[0-9a-f:]+::1$/)
    assert.deepEqual(chosen(dual, around())[1], v6)
    assert.notEqual(chosen(dual, around([v6.split(' ')[0] ?? '']))[1], v6)
    assert.equal(chosen(request([], { ipv4: false, ipv6: true }), around()).length, 1)
  })
})

describe('freeSubnet()', () => {
  it('overlaps nothing that is taken and lies in its pool', () => {
    const range = fc.tuple(fc.integer({ min: 0, max: 65535 }), fc.integer({ min: 18, max: 32 }))
    fc.assert(
      fc.property(fc.array(range, { maxLength: 40 }), (ranges) => {
        const taken = ranges.map(([n, prefix]) => parseCidr(`10.0.${n >> 8}.${n & 255}/${prefix}`))
        let free
        try {
          free = freeSubnet([{ base: '10.0.0.0/16', size: 24 }], taken)
        } catch {
          return
        }
        assert.ok(encloses(parseCidr('10.0.0.0/16'), free))
        assert.ok(!taken.some((other) => overlaps(other, free)), formatCidr(free))
      }),
    )
  })
})
