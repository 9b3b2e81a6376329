import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import {
  addressAt,
  canonicalAddress,
  contains,
  formatCidr,
  offsetOf,
  overlaps,
  parseCidr,
} from './address.ts'

describe('parseCidr()', () => {
  it('clears the host bits and takes a single address as a range of one', () => {
    assert.equal(formatCidr(parseCidr('172.17.0.1/16')), '172.17.0.0/16')
    assert.equal(formatCidr(parseCidr('192.0.2.9')), '192.0.2.9/32')
    assert.equal(formatCidr(parseCidr('fd00:0:0::5/64')), 'fd00::/64')
    assert.equal(formatCidr(parseCidr('::ffff:192.0.2.1')), '::ffff:192.0.2.1/128')
  })

  it('refuses what is not an address range', () => {
    for (const text of ['', 'x', '1.2.3.4/33', '1.2.3.4/', '1.2.3.4/-1', '::1/129', '1.2.3/8']) {
      assert.throws(
        () => parseCidr(text),
        (error) => isKind(error, 'invalid_argument'),
        text,
      )
    }
  })

  it('gives addresses back for every offset', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 8, max: 24 }), fc.nat(255), (address, prefix, offset) => {
        const cidr = parseCidr(`${address}/${prefix}`)
        const at = addressAt(cidr, offset)
        assert.ok(contains(cidr, at))
        assert.equal(offsetOf(cidr, at), offset)
      }),
    )
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        assert.equal(addressAt(parseCidr(address), 0), canonicalAddress(address))
      }),
    )
  })
})

describe('overlaps()', () => {
  it('is true when one range holds the other, in either order, within one family', () => {
    const wide = parseCidr('172.16.0.0/12')
    const narrow = parseCidr('172.17.0.0/16')
    assert.ok(overlaps(wide, narrow) && overlaps(narrow, wide))
    assert.ok(!overlaps(narrow, parseCidr('172.18.0.0/16')))
    assert.ok(!overlaps(parseCidr('0.0.0.0/0'), parseCidr('::/0')))
  })
})
