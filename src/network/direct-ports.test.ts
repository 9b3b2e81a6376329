import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { directElements, keepsPorts, portReach, splitRequests } from './direct-ports.ts'
import type { NetworkInfo, PortRequest, PublishTarget, PublishedPort } from './networks.ts'

const info: NetworkInfo = {
  id: 'n',
  name: 'app',
  link: 'br0',
  mtu: 1500,
  subnets: [],
  internal: false,
  icc: true,
  masquerade: true,
}
const both: PublishTarget = { id: 'e', ipv4: '10.0.0.2', ipv6: 'FD00::0:2' }
const ask = (hostIp: string): PortRequest => ({ containerPort: 80, protocol: 'tcp', hostIp, hostPort: 8080 })
const port = (hostIp: string, hostPort: number): PublishedPort => ({
  containerPort: 80,
  protocol: 'tcp',
  hostIp,
  hostPort,
})

describe('portReach()', () => {
  it('is by ports of the host unless the network says otherwise', () => {
    assert.equal(portReach(info, 4), undefined)
    assert.equal(portReach({ ...info, trusted: ['eth1'] }, 6), 'trusted')
    const modes = { v4: 'nat', v6: 'routed' } as const
    assert.deepEqual(
      [4, 6].map((family) => portReach({ ...info, modes }, family as 4 | 6)),
      [undefined, 'address'],
    )
  })
})

describe('splitRequests()', () => {
  it('leaves requests alone where everything is translated', () => {
    const requests = [ask(''), ask('127.0.0.1')]
    assert.deepEqual(splitRequests(both, requests), { translated: requests, direct: [] })
  })

  it('takes no port of the host for a family that is routed, whatever address was named', () => {
    const target = { ...both, reach4: 'address' } as const
    assert.deepEqual(splitRequests(target, [ask(''), ask('192.0.2.1'), ask('::1')]), {
      translated: [{ ...ask(''), hostIp: '::' }, ask('::1')],
      direct: [port('0.0.0.0', 0)],
    })
  })

  it('leads nowhere in a family that a routed container has not', () => {
    const target = { id: 'e', ipv4: '10.0.0.2', reach4: 'address' } as const
    assert.deepEqual(splitRequests(target, [ask('')]), { translated: [], direct: [port('0.0.0.0', 0)] })
  })
})

describe('keepsPorts()', () => {
  it('is false when ports of the host would have to become those of the container, or the other way round', () => {
    const routed = { ...both, reach4: 'address' } as const
    const cases: readonly [PublishTarget, PublishedPort[], boolean][] = [
      [both, [port('0.0.0.0', 8080), port('::', 8080)], true],
      [routed, [port('0.0.0.0', 8080)], false],
      [routed, [port('0.0.0.0', 0), port('::', 8080)], true],
      [both, [port('0.0.0.0', 0)], false],
    ]
    for (const [target, ports, kept] of cases) assert.equal(keepsPorts(target, ports), kept)
  })
})

describe('directElements()', () => {
  it('open a port of the container, to everybody or to trusted interfaces', () => {
    const closed = { comment: 'c', open: false }
    assert.deepEqual(directElements(both, port('0.0.0.0', 8080), closed), [])
    assert.deepEqual(directElements({ ...both, reach6: 'address' }, port('::', 0), closed), [
      { set: 'open6', key: 'fd00::2 . tcp . 80', comment: 'c' },
    ])
    assert.deepEqual(directElements({ ...both, reach4: 'trusted' }, port('0.0.0.0', 8080), closed), [
      { set: 'direct4', key: '10.0.0.2 . tcp . 80', comment: 'c' },
    ])
    assert.deepEqual(directElements(both, port('127.0.0.1', 8080), { comment: 'c', open: true }), [
      { set: 'open4', key: '10.0.0.2 . tcp . 80', comment: 'c' },
    ])
    assert.deepEqual(
      directElements({ id: 'e', ipv4: '10.0.0.2' }, port('::', 8080), { ...closed, open: true }),
      [],
    )
  })
})
