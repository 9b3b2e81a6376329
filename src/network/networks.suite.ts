import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import { addressAt, contains, parseCidr } from './address.ts'
import type { NetworkRequest, Networks, PortRequest, PublishedPort } from './networks.ts'

const request = (name: string, more: Partial<NetworkRequest> = {}): NetworkRequest => {
  const id = newId()
  const link = `br-${id.slice(0, 12)}`
  const open = { internal: false, icc: true, masquerade: true, ipv4: true, ipv6: false, subnets: [] }
  return { id, name, link, mtu: 1500, ...open, ...more }
}

/** What every `Networks` keeps; `networks` has been ensured. */
export function networksSuite(name: string, networks: () => Networks): void {
  const ask = (hostPort: PortRequest['hostPort'], hostIp = '127.0.0.1'): PortRequest => ({
    containerPort: 80,
    protocol: 'tcp',
    hostIp,
    hostPort,
  })

  describe(`${name} as Networks`, () => {
    it('leases addresses of the bridge, each to one container', () => {
      const ids = [newId(), newId()] as const
      const [a, b] = ids.map((containerId) => networks().lease({ containerId }))
      assert.ok(a !== undefined && b !== undefined)
      const [subnet] = networks().bridge.subnets
      assert.ok(subnet !== undefined && contains(parseCidr(subnet.subnet), a.ipv4 ?? ''))
      assert.equal(a.gateway, subnet.gateway)
      assert.notEqual(a.ipv4, b.ipv4)
      assert.notEqual(a.mac, b.mac)
      assert.notEqual(a.veth, b.veth)
      assert.ok(a.veth.length <= 15)
      assert.throws(
        () => networks().lease({ containerId: ids[0] }),
        (error) => isKind(error, 'conflict'),
      )
      for (const id of ids) networks().release(id)
      networks().release(ids[0])
    })

    it('never leases an adopted address', () => {
      const first = newId()
      const endpoint = networks().lease({ containerId: first })
      networks().release(first)
      networks().adopt(first, endpoint)
      const second = newId()
      assert.notEqual(networks().lease({ containerId: second }).ipv4, endpoint.ipv4)
      networks().release(first)
      networks().release(second)
    })

    it('reserves all ports of a container or none', async () => {
      const [a, b] = [newId(), newId()]
      const endpoint = networks().lease({ containerId: a })
      const other = networks().lease({ containerId: b })
      const [got] = await networks().publish(a, endpoint, [ask({ first: 33100, last: 33120 })])
      assert.ok(got !== undefined && got.hostPort >= 33100)
      await assert.rejects(networks().publish(b, other, [ask(33200), ask(got.hostPort)], { name: 'b' }), {
        message: `driver failed programming external connectivity on endpoint b (${other.id}): Bind for 127.0.0.1:${got.hostPort} failed: port is already allocated`,
      })
      await networks().unpublish(a)
      assert.equal((await networks().publish(b, other, [ask(33200), ask(got.hostPort)])).length, 2)
      await networks().unpublish(b)
      await networks().unpublish(b)
      networks().release(a)
      networks().release(b)
    })

    it('changes the ports of a container as a whole or not at all', async () => {
      const [a, b] = [newId(), newId()]
      const endpoint = networks().lease({ containerId: a })
      const other = networks().lease({ containerId: b })
      const numbers = (ports: readonly PublishedPort[]): string[] =>
        ports.map(({ hostPort, containerPort }) => `${hostPort}:${containerPort}`)
      // One that has none yet, too.
      const first = await networks().republish(a, endpoint, { add: [ask(33300)], remove: [] })
      const both = await networks().republish(a, endpoint, { add: [ask(33301)], remove: [] })
      assert.deepEqual(numbers(both), ['33300:80', '33301:80'])
      await networks().publish(b, other, [ask(33302)])
      const refused = { add: [ask(33303), ask(33302)], remove: first }
      await assert.rejects(networks().republish(a, endpoint, refused, { name: 'a' }), {
        message: `driver failed programming external connectivity on endpoint a (${endpoint.id}): Bind for 127.0.0.1:33302 failed: port is already allocated`,
      })
      // What was refused is free, what was to go is still there.
      await networks().republish(b, other, { add: [ask(33303)], remove: [] })
      await assert.rejects(networks().republish(b, other, { add: [ask(33300)], remove: [] }))
      const moved = { add: [{ ...ask(33300), containerPort: 81 }], remove: first }
      assert.deepEqual(numbers(await networks().republish(a, endpoint, moved)), ['33301:80', '33300:81'])
      await networks().unpublish(a)
      await networks().republish(b, other, { add: [ask(33300), ask(33301)], remove: [] })
      await networks().unpublish(b)
      networks().release(a)
      networks().release(b)
    })

    it('publishes at the address of a container without taking ports of the host', async () => {
      const [a, b] = [newId(), newId()]
      const lease = networks().lease({ containerId: a })
      const routed = { ...lease, reach4: 'address' } as const
      const other = networks().lease({ containerId: b })
      const direct = { containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 0 }
      const ports = await networks().publish(a, routed, [ask(33400), ask(33401, '0.0.0.0')])
      assert.deepEqual(ports, [direct])
      assert.equal((await networks().publish(b, other, [ask(33400)])).length, 1)
      await networks().unpublish(a)
      networks().adoptPublished(a, routed, ports)
      await networks().unpublish(a)
      await networks().unpublish(b)
      networks().release(a)
      networks().release(b)
    })

    it('leaves an isolated network without a gateway, and lets links past one without icc', async () => {
      const modes = { v4: 'isolated', v6: 'nat' } as const
      const cell = await networks().plan(request('cell', { modes, internal: true }))
      await networks().create(cell.id)
      assert.equal(cell.subnets[0]?.gateway, '')
      const containerId = newId()
      const { gateway, ipv4 = '' } = networks().lease({ containerId, networkId: cell.id })
      assert.equal(gateway, undefined)
      assert.equal(ipv4, addressAt(parseCidr(cell.subnets[0]?.subnet ?? ''), 1))
      await networks().allow(containerId, [{ from: ipv4, to: '192.0.2.1', protocol: 'tcp', port: 80 }])
      await networks().allow(containerId, [])
      await networks().allow(containerId, [])
      networks().release(containerId)
      await networks().removeNetwork(cell)
    })

    it('makes networks with subnets of their own, and leases of each', async () => {
      const [one, two] = await Promise.all([networks().plan(request('one')), networks().plan(request('two'))])
      assert.notEqual(one.subnets[0]?.subnet, two.subnets[0]?.subnet)
      await networks().create(one.id)
      const containerId = newId()
      const asked = { containerId, networkId: one.id, ifname: 'eth1' }
      const first = networks().lease(asked)
      assert.ok(contains(parseCidr(one.subnets[0]?.subnet ?? ''), first.ipv4 ?? ''))
      assert.deepEqual([first.network, first.ifname, first.gateway], ['one', 'eth1', one.subnets[0]?.gateway])
      const second = newId()
      for (const [ipv4, words] of [
        [first.ipv4, /^Address already in use$/],
        [one.subnets[0]?.gateway, /^Address already in use$/],
        ['203.0.113.9', /no configured subnet or ip-range contain the IP address 203\.0\.113\.9/],
      ] as const) {
        assert.throws(() => networks().lease({ containerId: second, networkId: one.id, ipv4 }), {
          message: words,
        })
      }
      assert.deepEqual([...networks().leases(one.id).keys()], [containerId])
      networks().release(containerId, one.id)
      await assert.rejects(
        networks().plan(request('three', { subnets: [{ subnet: one.subnets[0]?.subnet }] })),
        (error) => isKind(error, 'permission_denied'),
      )
      for (const info of [one, two]) await networks().removeNetwork(info)
      await networks().removeNetwork(one)
      assert.equal(networks().network(one.id), undefined)
      assert.throws(
        () => networks().lease(asked),
        (error) => isKind(error, 'not_found'),
      )
    })

    it('never gives away an adopted port', async () => {
      const [a, b] = [newId(), newId()]
      const endpoint = networks().lease({ containerId: a })
      const other = networks().lease({ containerId: b })
      const ports = await networks().publish(a, endpoint, [ask({ first: 33100, last: 33120 })])
      await networks().unpublish(a)
      networks().adoptPublished(a, endpoint, ports)
      await assert.rejects(
        networks().publish(b, other, [ask(ports[0]?.hostPort)]),
        /port is already allocated/,
      )
      await networks().unpublish(a)
      networks().release(a)
      networks().release(b)
    })
  })
}
