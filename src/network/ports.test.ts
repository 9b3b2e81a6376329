import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import type { PortRequest, Protocol } from './networks.ts'
import type { Reservation } from './ports.ts'
import { PortTable, parsePortRange, parseReservedPorts } from './ports.ts'

const table = (ipv6 = true) =>
  new PortTable({ ephemeral: { first: 100, last: 104 }, reserved: [{ first: 101, last: 102 }], ipv6 })

const ask = (hostPort: PortRequest['hostPort'], hostIp = '', protocol: Protocol = 'tcp'): PortRequest => ({
  containerPort: 80,
  protocol,
  hostIp,
  hostPort,
})

const text = (reservations: readonly Reservation[]) =>
  reservations.map(({ port }) => `${port.hostIp} ${port.hostPort}`)

describe('PortTable.reserve()', () => {
  it('gives IPv4 and IPv6 the same number', () => {
    const ports = table()
    assert.deepEqual(text(ports.reserve('a', [ask(80)])), ['0.0.0.0 80', ':: 80'])
    assert.deepEqual(text(ports.reserve('a', [ask(undefined)])), ['0.0.0.0 100', ':: 100'])
    assert.deepEqual(text(table(false).reserve('a', [ask(80)])), ['0.0.0.0 80'])
  })

  it("refuses a taken port in Docker's words and keeps nothing", () => {
    const ports = table()
    ports.reserve('a', [ask(80, '127.0.0.1')])
    assert.throws(() => ports.reserve('b', [ask(81), ask(80)]), {
      message: 'Bind for 0.0.0.0:80 failed: port is already allocated',
    })
    assert.throws(() => ports.reserve('b', [ask(80, '127.0.0.1')]), /Bind for 127.0.0.1:80 failed/)
    assert.doesNotThrow(() =>
      ports.reserve('b', [ask(81), ask(80, '127.0.0.2'), ask(80, '', 'udp'), ask(80, '[::1]')]),
    )
    assert.throws(() => ports.reserve('c', [ask(80, '::')]), /Bind for \[::\]:80 failed/)
  })

  it('passes over reserved, taken and avoided ports where it may choose', () => {
    const ports = table(false)
    assert.deepEqual(text(ports.reserve('a', [ask(undefined), ask(103)])), ['0.0.0.0 100', '0.0.0.0 103'])
    assert.deepEqual(text(ports.reserve('a', [ask(undefined)])), ['0.0.0.0 104'])
    assert.throws(
      () => ports.reserve('a', [ask(undefined)]),
      (error) => isKind(error, 'resource_exhausted'),
    )

    const range = { first: 200, last: 202 }
    assert.deepEqual(text(ports.reserve('b', [ask(range)], new Set(['tcp/200']))), ['0.0.0.0 201'])
    assert.deepEqual(text(ports.reserve('b', [ask(range)])), ['0.0.0.0 200'])
    assert.throws(
      () => ports.reserve('c', [ask(range), ask(range)]),
      /200-202 failed: all ports are allocated/,
    )
    assert.deepEqual(text(ports.reserve('c', [ask(range)])), ['0.0.0.0 202'])
  })

  it('serves fixed requests before those with a choice, and answers in the order of the requests', () => {
    const got = table(false).reserve('a', [ask({ first: 300, last: 301 }), ask(300)])
    assert.deepEqual(text(got), ['0.0.0.0 301', '0.0.0.0 300'])
    assert.deepEqual(
      got.map(({ flexible }) => flexible),
      [true, false],
    )
  })

  it('frees everything on release()', () => {
    const ports = table()
    ports.reserve('a', [ask(80), ask(undefined)])
    assert.equal(
      ports.adopt('b', { containerPort: 1, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 80 }),
      false,
    )
    ports.release('a')
    assert.equal(
      ports.adopt('b', { containerPort: 1, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 80 }),
      true,
    )
    assert.deepEqual(text(ports.reserve('c', [ask(80, '::')])), [':: 80'])
  })

  it('never gives one port to two containers', () => {
    const request = fc.record({
      containerPort: fc.constant(1),
      protocol: fc.constantFrom<Protocol>('tcp', 'udp'),
      hostIp: fc.constantFrom('', '0.0.0.0', '::', '127.0.0.1', '::1'),
      hostPort: fc.constantFrom(undefined, 1, 2, { first: 1, last: 3 }),
    })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), request), { maxLength: 30 }), (steps) => {
        const ports = table()
        const held = new Map<string, string[]>()
        for (const [owner, one] of steps) {
          const id = String(owner)
          try {
            const got = ports
              .reserve(id, [one])
              .map(({ port: p }) => `${p.protocol} ${p.hostIp} ${p.hostPort}`)
            held.set(id, [...(held.get(id) ?? []), ...got])
          } catch {
            ports.release(id)
            held.delete(id)
          }
        }
        const all = [...held.values()].flat()
        assert.equal(new Set(all).size, all.length)
      }),
    )
  })
})

describe('parsePortRange(), parseReservedPorts()', () => {
  it('read what the kernel prints', () => {
    assert.deepEqual(parsePortRange('32768\t60999\n'), { first: 32768, last: 60999 })
    assert.equal(parsePortRange('nonsense'), undefined)
    assert.deepEqual(parseReservedPorts('8080,9000-9100\n'), [
      { first: 8080, last: 8080 },
      { first: 9000, last: 9100 },
    ])
    assert.deepEqual(parseReservedPorts('\n'), [])
  })
})
