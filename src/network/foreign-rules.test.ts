import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type NewPacket, judge, parseForeign } from './foreign-rules.ts'

const chain = (name: string, more: object = {}) => ({ chain: { family: 'inet', table: 't', name, ...more } })
const base = (hook: string, policy: string, more: object = {}) =>
  chain(hook, { type: 'filter', hook, policy, ...more })
const rule = (where: string, ...expr: readonly object[]) => ({
  rule: { family: 'inet', table: 't', chain: where, expr },
})
const match = (left: object, right: unknown, op = '==') => ({ match: { op, left, right } })
const dport = (right: unknown, op?: string) =>
  match({ payload: { protocol: 'tcp', field: 'dport' } }, right, op)
const iif = (name: string) => match({ meta: { key: 'iifname' } }, name)
const [accept, drop] = [{ accept: null }, { drop: null }]

const packet: NewPacket = {
  hook: 'forward',
  oifname: 'br-1',
  address: '10.0.0.2',
  protocol: 'tcp',
  port: 80,
  translated: true,
}

function judged(entries: readonly object[], more: Partial<NewPacket> = {}): string {
  const { dropped, doubts } = judge(parseForeign(JSON.stringify({ nftables: entries })), {
    ...packet,
    ...more,
  })
  return dropped === undefined ? (doubts.length > 0 ? 'doubt' : 'passes') : `dropped by ${dropped}`
}

const DROPPED = 'dropped by forward of table inet t'

describe('judge()', () => {
  it('knows protocols by name and by number', () => {
    const protocol = (right: unknown, op?: string) => match({ meta: { key: 'l4proto' } }, right, op)
    for (const tcp of ['tcp', 6, { set: [17, 6] }]) {
      assert.equal(judged([base('forward', 'accept'), rule('forward', protocol(tcp), drop)]), DROPPED)
      assert.equal(judged([base('forward', 'accept'), rule('forward', protocol(tcp, '!='), drop)]), 'passes')
    }
    assert.equal(judged([base('forward', 'accept'), rule('forward', protocol(17), drop)]), 'passes')
  })

  it('finds policies that drop, and the rules that let a packet pass before', () => {
    assert.equal(judged([base('forward', 'drop')]), DROPPED)
    assert.equal(judged([base('forward', 'accept')]), 'passes')
    assert.equal(judged([base('input', 'drop')]), 'passes')
    assert.equal(
      judged([base('forward', 'drop'), rule('forward', dport({ set: [79, 80] }), accept)]),
      'passes',
    )
    assert.equal(
      judged([base('forward', 'drop'), rule('forward', dport({ range: [1, 79] }), accept)]),
      DROPPED,
    )
    const out = match({ meta: { key: 'oifname' } }, 'br-*')
    assert.equal(judged([base('forward', 'drop'), rule('forward', out, accept)]), 'passes')
    const state = match({ ct: { key: 'state' } }, ['established', 'related'], 'in')
    assert.equal(judged([base('forward', 'drop'), rule('forward', state, accept)]), DROPPED)
  })

  it('finds rules that drop, by address, port and the chains that they jump to', () => {
    const net = match(
      { payload: { protocol: 'ip', field: 'daddr' } },
      { prefix: { addr: '10.0.0.0', len: 8 } },
    )
    assert.equal(judged([base('forward', 'accept'), rule('forward', net, drop)]), DROPPED)
    assert.equal(
      judged([base('forward', 'accept'), rule('forward', net, drop)], { address: '11.0.0.1' }),
      'passes',
    )
    assert.equal(judged([base('forward', 'accept'), rule('forward', dport(80, '!='), drop)]), 'passes')
    const jump = { jump: { target: 'more' } }
    assert.equal(
      judged([
        base('forward', 'accept'),
        chain('more'),
        rule('forward', jump),
        rule('more', dport(80), { reject: {} }),
      ]),
      DROPPED,
    )
    assert.equal(
      judged([
        base('forward', 'accept'),
        chain('more'),
        rule('forward', jump),
        rule('more', { return: null }),
        rule('more', drop),
      ]),
      'passes',
    )
  })

  it('says when it depends on what cannot be told', () => {
    assert.equal(judged([base('forward', 'accept'), rule('forward', iif('eth0'), drop)]), 'doubt')
    assert.equal(judged([base('forward', 'drop'), rule('forward', iif('eth0'), accept)]), 'doubt')
    assert.equal(judged([base('forward', 'drop'), rule('forward', dport('@ports'), accept)]), 'doubt')
    assert.equal(judged([base('forward', 'accept'), rule('forward', { xt: {} }, drop)]), 'doubt')
    assert.equal(
      judged([base('forward', 'accept'), rule('forward', iif('eth0'), accept), rule('forward', drop)]),
      'doubt',
    )
  })

  it('leaves out tables of another family', () => {
    assert.equal(judged([base('forward', 'drop', { family: 'ip6' })]), 'passes')
    assert.equal(
      judged([base('forward', 'drop', { family: 'ip6' })], { address: 'fd00::1' }),
      'dropped by forward of table ip6 t',
    )
  })
})
