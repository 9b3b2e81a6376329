import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ContainerConfig, HostConfig } from '#api/generated/types.ts'
import { isKind } from '#base/errors.ts'
import { exposedWithBound, portRequests } from './ports.ts'

const requests = (
  PortBindings: HostConfig['PortBindings'],
  more: HostConfig = {},
  config: ContainerConfig = {},
) => portRequests(config, { NetworkMode: 'bridge', PortBindings, ...more })

describe('portRequests()', () => {
  it('reads bindings', () => {
    assert.deepEqual(
      requests({
        '443': [{ HostPort: '8000-8010' }],
        '80/tcp': [
          { HostIp: '127.0.0.1', HostPort: '8080' },
          { HostIp: '[::1]', HostPort: '0' },
        ],
        '53/UDP': null,
      }),
      [
        { containerPort: 53, protocol: 'udp', hostIp: '', hostPort: undefined },
        { containerPort: 80, protocol: 'tcp', hostIp: '127.0.0.1', hostPort: 8080 },
        { containerPort: 80, protocol: 'tcp', hostIp: '::1', hostPort: undefined },
        { containerPort: 443, protocol: 'tcp', hostIp: '', hostPort: { first: 8000, last: 8010 } },
      ],
    )
  })

  it('asks for one ephemeral port when the list is empty', () => {
    assert.equal(requests({ '80/tcp': [] }).length, 1)
  })

  it('drops repetitions, but not of ephemeral ports', () => {
    const once = [{ HostPort: '80' }, { HostPort: '80' }]
    assert.equal(requests({ '80/tcp': once }).length, 1)
    assert.equal(requests({ '80/tcp': [{}, {}] }).length, 2)
  })

  it('publishes every exposed port that is not bound when asked', () => {
    const config = { ExposedPorts: { '80/tcp': {}, '8000-8001/udp': {} } }
    const published = requests({ '80/tcp': [{ HostPort: '1' }] }, { PublishAllPorts: true }, config)
    assert.deepEqual(
      published.map(({ containerPort, protocol, hostPort }) => [containerPort, protocol, hostPort]),
      [
        [80, 'tcp', 1],
        [8000, 'udp', undefined],
        [8001, 'udp', undefined],
      ],
    )
  })

  it('publishes nothing without a network of its own', () => {
    for (const NetworkMode of ['host', 'none', 'container:x']) {
      assert.deepEqual(requests({ '80/tcp': [] }, { NetworkMode }), [])
    }
  })

  for (const [key, binding, message] of [
    ['0/tcp', {}, 'invalid port specification: "0"'],
    ['65536/tcp', {}, 'invalid port specification: "65536"'],
    ['80-90/tcp', {}, 'invalid port specification: "80-90"'],
    ['http', {}, 'invalid port specification: "http"'],
    ['', {}, 'invalid port specification: ""'],
    ['80/icmp', {}, 'invalid proto: icmp'],
    ['80/tcp/x', {}, 'invalid proto: tcp/x'],
    ['80/tcp', { HostPort: 'x' }, 'invalid port specification: "x"'],
    ['80/tcp', { HostPort: '90-80' }, 'invalid port specification: "90-80"'],
    ['80/tcp', { HostPort: '0-80' }, 'invalid port specification: "0-80"'],
    ['80/tcp', { HostPort: '-1' }, 'invalid port specification: "-1"'],
    ['80/tcp', { HostIp: 'localhost' }, 'invalid IP address: localhost'],
  ] as const) {
    it(`refuses ${key} with ${JSON.stringify(binding)}`, () => {
      assert.throws(() => requests({ [key]: [binding] }), { message })
    })
  }

  for (const key of ['0', 'x/tcp', '10-5', '70000']) {
    it(`refuses to expose ${key}`, () => {
      const message = `invalid containerPort: ${key.replace('/tcp', '')}`
      assert.throws(() => requests({}, {}, { ExposedPorts: { [key]: {} } }), { message })
    })
  }

  it('gives ports in range or invalid_argument for any text', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (key, HostPort) => {
        try {
          for (const { containerPort } of requests({ [key]: [{ HostPort }] })) {
            assert.ok(containerPort >= 1 && containerPort <= 65535)
          }
        } catch (error) {
          assert.ok(isKind(error, 'invalid_argument'), String(error))
        }
      }),
    )
  })
})

describe('exposedWithBound()', () => {
  it('joins exposed and bound ports', () => {
    const exposed = exposedWithBound({ ExposedPorts: { '80': {} } }, { PortBindings: { '443/tcp': [] } })
    assert.deepEqual(exposed, { '80/tcp': {}, '443/tcp': {} })
    assert.equal(exposedWithBound({}, {}), undefined)
  })
})
