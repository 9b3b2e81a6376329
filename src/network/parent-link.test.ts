import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import type { NetworkInfo, SharedLink } from './networks.ts'
import { ParentLinks, checkNeighbours, isShared, nowhereLink, parseVlan } from './parent-link.ts'

const MARK = 'berth ours'

/** A host with links and kinds of links; understands what ParentLinks says to `ip`. */
class FakeHost {
  readonly links = new Map<string, string | undefined>([
    ['lo', undefined],
    ['eth0', undefined],
  ])
  readonly up = new Set(['lo', 'eth0'])
  readonly kinds: Set<string>
  readonly written: string[] = []
  readonly sysctls = {
    read: async () => '0',
    write: async (value: string, ...key: readonly string[]) =>
      void this.written.push(`${key.join('.')}=${value}`),
  }

  constructor(...kinds: readonly string[]) {
    this.kinds = new Set(kinds)
  }

  readonly helper = {
    run: async (argv: readonly string[], { stdin = '' }: { readonly stdin?: string } = {}) => {
      const lines = argv[1] === '-batch' ? stdin.trim().split('\n') : [argv.slice(1).join(' ')]
      for (const line of lines) {
        const result = this.#ip(line)
        if (result.code !== 0) return result
      }
      return { code: 0, stdout: this.#shown, stderr: '' }
    },
  }

  #shown = ''

  #ip(line: string): { readonly code: number; readonly stdout: string; readonly stderr: string } {
    const failed = (stderr: string) => ({ code: 1, stdout: '', stderr })
    const words = line.split(' ')
    const after = (word: string): string => words[words.indexOf(word) + 1] ?? ''
    if (words.includes('show')) {
      const name = after('dev')
      if (!this.links.has(name)) return failed(`Device "${name}" does not exist.`)
      const flags = this.up.has(name) ? ['UP'] : []
      this.#shown = JSON.stringify([{ ifname: name, ifalias: this.links.get(name), flags }])
    } else if (words.includes('add')) {
      if (!this.kinds.has(after('type'))) return failed('Error: Unknown device type.')
      if (after('link') === 'add' && words[words.indexOf('add') + 2] === 'lo')
        return failed('Invalid argument')
      this.links.set(after('name'), undefined)
      if (words.includes('peer')) this.links.set(words.at(-1) ?? '', undefined)
    } else if (words.includes('alias')) {
      this.links.set(after('dev'), line.split('"')[1])
    } else if (words.includes('up')) {
      this.up.add(after('dev'))
    } else if (words.includes('delete')) {
      this.up.delete(after('dev'))
      this.links.delete(after('dev'))
    }
    return { code: 0, stdout: '', stderr: '' }
  }
}

const id = (digit: string): string => digit.repeat(64)

function network(digit: string, link: string, shared: SharedLink = { kind: 'macvlan', mode: 'bridge' }) {
  const common = { name: digit, mtu: 0, subnets: [], internal: false, icc: true, masquerade: false }
  return { id: id(digit), link, shared, ...common } satisfies NetworkInfo
}

describe('parseVlan()', () => {
  it('reads what Docker reads', () => {
    assert.deepEqual(parseVlan('eth0.10'), { parent: 'eth0', id: 10 })
    for (const [name, words] of [
      ['eth0', /invalid subinterface vlan name eth0, example formatting is eth0\.10/],
      ['a.b.1', /required interface name format is: name\.vlan_id/],
      ['eth0.x', /unable to parse a valid vlan id from: eth0\.x/],
      ['eth0.0', /vlan id must be between 1-4094, received: 0/],
      ['eth0.4095', /vlan id must be between 1-4094, received: 4095/],
    ] as const) {
      assert.throws(() => parseVlan(name), words)
    }
  })
})

describe('checkNeighbours()', () => {
  const passthru: SharedLink = { kind: 'macvlan', mode: 'passthru' }
  const ipvlan: SharedLink = { kind: 'ipvlan', mode: 'l2', flag: 'bridge' }

  it('lets several macvlan networks share a parent, passthru and ipvlan none', () => {
    checkNeighbours(network('a', 'eth0'), [network('b', 'eth0'), network('c', 'eth1', passthru)])
    checkNeighbours(network('a', 'eth0', ipvlan), [network('a', 'eth0', ipvlan)])
    for (const [own, other, words] of [
      [
        passthru,
        undefined,
        /cannot use mode passthru, macvlan network b+ is already using parent interface eth0/,
      ],
      [undefined, passthru, /macvlan network b+ is already using parent interface eth0 in mode passthru/],
      [ipvlan, ipvlan, /network dm-b{12} is already using parent interface eth0/],
      [undefined, ipvlan, /already using parent interface eth0/],
    ] as const) {
      assert.throws(() => checkNeighbours(network('a', 'eth0', own), [network('b', 'eth0', other)]), words)
    }
  })
})

describe('ParentLinks', () => {
  it('uses what is there, and never removes it', async () => {
    const host = new FakeHost('macvlan')
    const parents = new ParentLinks(host, MARK)
    const shared = await parents.plan(network('a', 'eth0'), [])
    assert.equal(shared.made, undefined)
    const info = network('a', 'eth0', shared)
    assert.equal(await parents.ensure(info), false)
    await parents.leave(info, () => [])
    assert.ok(host.links.has('eth0'))
    host.links.delete('eth0')
    await assert.rejects(parents.ensure(info), /parent interface eth0 was not found on the Docker host/)
  })

  it('makes a VLAN, which goes with the last network on it', async () => {
    const host = new FakeHost('macvlan', 'vlan')
    const parents = new ParentLinks(host, MARK)
    const first = network('a', 'eth0.10', await parents.plan(network('a', 'eth0.10'), []))
    assert.equal(await parents.ensure(first), true)
    assert.equal(host.links.get('eth0.10'), MARK)
    assert.deepEqual(host.written, ['net.ipv6.conf.eth0.10.disable_ipv6=1'])
    const second = network('b', 'eth0.10', await parents.plan(network('b', 'eth0.10'), [first]))
    assert.equal(await parents.ensure(second), false)
    await parents.leave(first, () => [first, second])
    assert.ok(host.links.has('eth0.10'))
    await parents.leave(second, () => [second])
    assert.ok(!host.links.has('eth0.10'))
    await parents.leave(second, () => [second])
  })

  it('finishes what was half made, and looks at its own alone', async () => {
    const host = new FakeHost('macvlan', 'veth')
    const parents = new ParentLinks(host, MARK)
    const link = nowhereLink(id('a'))
    const info = network('a', link, await parents.plan(network('a', link), []))
    await parents.ensure(info)
    host.up.clear()
    assert.equal(await parents.look(info, true), true)
    assert.deepEqual([...host.up], ['dn-aaaaaaaaaaaa', link])
    assert.equal(await parents.look(info, true), false)
    host.links.delete(link)
    assert.equal(await parents.look(info, false), false)
    assert.equal(await parents.look(info, true), true)
    assert.equal(await parents.look(network('b', 'gone0'), true), false)
  })

  it('takes away no link that has somebody else’s name', async () => {
    const host = new FakeHost('macvlan', 'vlan')
    const parents = new ParentLinks(host, MARK)
    const info = network('a', 'eth0.10', { kind: 'macvlan', mode: 'bridge', made: 'vlan' })
    host.links.set('eth0.10', 'berth of another engine')
    await parents.leave(info, () => [info])
    assert.ok(host.links.has('eth0.10'))
  })

  it('leads nowhere by a dummy link, or by half a pair where the kernel has none', async () => {
    for (const kinds of [['dummy'], ['veth']]) {
      const host = new FakeHost('macvlan', ...kinds)
      const parents = new ParentLinks(host, MARK)
      const link = nowhereLink(id('a'))
      const info = network('a', link, await parents.plan(network('a', link), []))
      assert.equal(info.shared.made, 'nowhere')
      await parents.ensure(info)
      assert.equal(host.links.get('dm-aaaaaaaaaaaa'), MARK)
      await parents.leave(info, () => [])
      assert.ok(!host.links.has(link))
    }
  })

  it('needs no IPv6', async () => {
    const host = new FakeHost('macvlan', 'dummy')
    const sysctls = { ...host.sysctls, read: async () => undefined }
    const parents = new ParentLinks({ helper: host.helper, sysctls }, MARK)
    const link = nowhereLink(id('a'))
    assert.equal(await parents.ensure(network('a', link, await parents.plan(network('a', link), []))), true)
    assert.deepEqual(host.written, [])
  })

  it('says what the kernel lacks, and what cannot be a parent', async () => {
    const host = new FakeHost('macvlan')
    const parents = new ParentLinks(host, MARK)
    const ipvlan = network('a', 'eth0', { kind: 'ipvlan', mode: 'l3', flag: 'bridge' })
    await assert.rejects(parents.plan(ipvlan, []), (error: Error) => {
      assert.ok(isKind(error, 'not_implemented'))
      return /the kernel of this host has no links of type ipvlan/.test(error.message)
    })
    const shared = await parents.plan(network('a', 'eth0.7'), [])
    await assert.rejects(
      parents.ensure(network('a', 'eth0.7', shared)),
      /no links of type vlan.*module 8021q/,
    )
    await assert.rejects(
      parents.plan(network('a', 'eth9.7'), []),
      /-o parent interface was not found on the host: eth9/,
    )
    await assert.rejects(
      parents.plan(network('a', 'lo'), []),
      /loopback interface is not a valid macvlan parent/,
    )
    assert.deepEqual([...host.links.keys()], ['lo', 'eth0'])
    assert.ok(isShared(ipvlan))
  })
})
