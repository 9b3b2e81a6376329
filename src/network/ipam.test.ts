import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import { formatCidr, parseCidr } from './address.ts'
import { AddressPool, addressMac, choosePool, randomMac, routedRanges } from './ipam.ts'

const routes = (text: string) => text.split(' ').map((dst) => ({ dst, dev: 'eth0' }))

describe('choosePool()', () => {
  it('takes the first pool that overlaps no route', () => {
    assert.equal(formatCidr(choosePool([])), '172.17.0.0/16')
    assert.equal(
      formatCidr(choosePool(routedRanges(routes('default 172.17.4.0/24'), 'berth0'))),
      '172.18.0.0/16',
    )
    assert.equal(formatCidr(choosePool(routedRanges(routes('172.16.0.0/12'), 'berth0'))), '192.168.0.0/20')
    assert.equal(formatCidr(choosePool(routedRanges(routes('172.17.0.5'), 'berth0'))), '172.18.0.0/16')
  })

  it('does not mind the routes of its own bridge and the default route', () => {
    assert.deepEqual(
      routedRanges(
        [{ dst: '172.17.0.0/16', dev: 'berth0' }, { dst: 'default' }, { dst: '0.0.0.0/0' }, {}],
        'berth0',
      ),
      [],
    )
  })

  it('fails with a reason when every pool is taken', () => {
    const all = routedRanges(routes('172.16.0.0/12 192.168.0.0/16'), 'berth0')
    assert.throws(
      () => choosePool(all),
      (error) => isKind(error, 'resource_exhausted'),
    )
  })
})

const pool = (subnet: string, clock: { now: number }, quarantine = 1000) =>
  new AddressPool(parseCidr(subnet), {
    reserved: [subnet.replace(/0\/.*/, '1')],
    quarantine,
    now: () => clock.now,
  })

describe('AddressPool', () => {
  it('gives the lowest free address, the gateway left out', () => {
    const addresses = pool('10.0.0.0/24', { now: 0 })
    assert.deepEqual([addresses.take(), addresses.take()], ['10.0.0.2', '10.0.0.3'])
    assert.equal(addresses.claim('10.0.0.4'), true)
    assert.equal(addresses.claim('10.0.0.4'), false)
    assert.equal(addresses.take(), '10.0.0.5')
  })

  it('lets a released address rest before it is given out again', () => {
    const clock = { now: 0 }
    const addresses = pool('10.0.0.0/24', clock)
    addresses.take()
    addresses.release('10.0.0.2')
    assert.equal(addresses.take(), '10.0.0.3')
    clock.now = 1000
    assert.equal(addresses.take(), '10.0.0.2')
  })

  it('gives one out again at once whose owner is known to be gone', () => {
    const addresses = new AddressPool(parseCidr('10.0.0.0/24'), {
      reserved: [],
      quarantine: 1000,
      now: () => 0,
    })
    assert.equal(addresses.take(), '10.0.0.1')
    addresses.release('10.0.0.1', true)
    assert.equal(addresses.take(), '10.0.0.1')
  })

  it('falls back to the address that rested longest, and fails when all are used', () => {
    const addresses = pool('10.0.0.0/29', { now: 0 })
    const all = Array.from({ length: 5 }, () => addresses.take())
    assert.deepEqual(all.at(-1), '10.0.0.6')
    assert.throws(
      () => addresses.take(),
      (error) => isKind(error, 'resource_exhausted'),
    )
    addresses.release('10.0.0.4')
    addresses.release('10.0.0.3')
    assert.equal(addresses.take(), '10.0.0.4')
  })

  it('keeps the first and the last address of an IPv4 subnet from those who ask for them, unless it has but two', () => {
    const addresses = pool('10.0.0.0/29', { now: 0 })
    for (const address of ['10.0.0.0', '10.0.0.7']) assert.equal(addresses.claim(address), false)
    assert.equal(addresses.claim('10.0.0.6'), true)
    assert.equal(pool('fd00::0/64', { now: 0 }).claim('fd00::ffff:ffff:ffff:ffff'), true)
    const options = { reserved: ['10.0.0.0'], quarantine: 0, now: () => 0 }
    assert.equal(new AddressPool(parseCidr('10.0.0.0/31'), options).claim('10.0.0.1'), true)
  })

  it('never gives one address to two owners', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 60 }), (steps) => {
        const addresses = pool('10.0.0.0/28', { now: 0 }, 0)
        const held: string[] = []
        for (const step of steps) {
          const victim = held[step]
          if (victim !== undefined) {
            addresses.release(victim)
            held.splice(step, 1)
          } else if (held.length < 13) held.push(addresses.take())
          assert.equal(new Set(held).size, held.length)
        }
      }),
    )
  })

  it('serves IPv6 too', () => {
    const addresses = pool('fd00::0/64', { now: 0 })
    assert.equal(addresses.take(), 'fd00::2')
  })
})

describe('randomMac()', () => {
  it('is unicast and locally administered', () => {
    for (let i = 0; i < 50; i++) assert.match(randomMac(), /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/)
  })
})

describe('addressMac()', () => {
  it('is the same for an address of a network, and another for any other', () => {
    const mac = addressMac('a'.repeat(64), '10.0.0.2')
    assert.match(mac, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/)
    assert.equal(addressMac('a'.repeat(64), '10.0.0.2'), mac)
    assert.notEqual(addressMac('a'.repeat(64), '10.0.0.3'), mac)
    assert.notEqual(addressMac('b'.repeat(64), '10.0.0.2'), mac)
  })
})
