import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HostConfig } from '#api/generated/types.ts'
import type { PublishedPort } from '#network/networks.ts'
import { type PublishChange, planPublishing } from './publishing.ts'

const port = (containerPort: number, hostPort: number, hostIp = '0.0.0.0'): PublishedPort => ({
  containerPort,
  protocol: 'tcp',
  hostIp,
  hostPort,
})

function plan(hostConfig: HostConfig, change: PublishChange, published: readonly PublishedPort[] = []) {
  return planPublishing({ config: { ExposedPorts: { '80/tcp': {} } }, hostConfig }, change, published)
}

const at = (HostPort: string, HostIp = '') => ({ HostIp, HostPort })

describe('planPublishing()', () => {
  it('adds bindings, and exposes their ports', () => {
    const { config, hostConfig, add, remove } = plan(
      { PortBindings: { '80/tcp': [at('8080')] } },
      { PublishAdd: { '80': [at('8081')], '53/udp': [] } },
    )
    assert.deepEqual(hostConfig.PortBindings, {
      '80/tcp': [at('8080'), at('8081')],
      '53/udp': [at('')],
    })
    assert.deepEqual(config.ExposedPorts, { '80/tcp': {}, '53/udp': {} })
    assert.deepEqual(add, [
      { containerPort: 53, protocol: 'udp', hostIp: '', hostPort: undefined },
      { containerPort: 80, protocol: 'tcp', hostIp: '', hostPort: 8081 },
    ])
    assert.deepEqual(remove, [])
  })

  it('removes one binding of a port with all that is published by it', () => {
    const both = [port(80, 8080), port(80, 8080, '::'), port(80, 8081)]
    const { hostConfig, remove } = plan(
      { PortBindings: { '80/tcp': [at('8080'), at('8081')] } },
      { PublishRemove: { '80/tcp': [at('8080')] } },
      both,
    )
    assert.deepEqual(hostConfig.PortBindings, { '80/tcp': [at('8081')] })
    assert.deepEqual(remove, both.slice(0, 2))
  })

  it('removes every binding of a port that is named alone', () => {
    const all = [port(80, 8080), port(80, 32768, '::')]
    const { hostConfig, remove } = plan(
      { PortBindings: { '80/tcp': [at('8080'), at('')], '81/tcp': [at('81')] } },
      { PublishRemove: { '80': [] } },
      [...all, port(81, 81)],
    )
    assert.deepEqual(hostConfig.PortBindings, { '81/tcp': [at('81')] })
    assert.deepEqual(remove, all)
  })

  it('finds the binding that got a number of its own choice', () => {
    const { hostConfig, remove } = plan(
      { PortBindings: { '80/tcp': [at('9000-9010'), at('')] } },
      { PublishRemove: { '80/tcp': [at('32768')] } },
      [port(80, 9000), port(80, 32768)],
    )
    assert.deepEqual(hostConfig.PortBindings, { '80/tcp': [at('9000-9010')] })
    assert.deepEqual(remove, [port(80, 32768)])
  })

  it('writes out what --publish-all stands for, when one of those goes', () => {
    const all: HostConfig = { PublishAllPorts: true, PortBindings: { '81/tcp': [at('81')] } }
    const published = [port(80, 32768), port(81, 81)]
    const { hostConfig, remove } = plan(all, { PublishRemove: { '80/tcp': [] } }, published)
    assert.deepEqual([hostConfig.PublishAllPorts, hostConfig.PortBindings], [false, { '81/tcp': [at('81')] }])
    assert.deepEqual(remove, [port(80, 32768)])
    assert.equal(plan(all, { PublishAdd: { '82': [] } }).hostConfig.PublishAllPorts, true)
  })

  it('moves a host port to another container port in one change', () => {
    const { add, remove } = plan(
      { PortBindings: { '80/tcp': [at('8080')] } },
      { PublishRemove: { '80': [] }, PublishAdd: { '81': [at('8080')] } },
      [port(80, 8080)],
    )
    assert.deepEqual(remove, [port(80, 8080)])
    assert.deepEqual(add[0]?.hostPort, 8080)
  })

  it('refuses what is not published, what is already, what is no port, and who has no network', () => {
    const host: HostConfig = { PortBindings: { '80/tcp': [at('8080')] } }
    const refusals: readonly [HostConfig, PublishChange, string][] = [
      [host, { PublishRemove: { '81': [] } }, 'port 81/tcp is not published'],
      [host, { PublishRemove: { '80': [at('1', '::1')] } }, 'port 80/tcp is not published at [::1]:1'],
      [host, { PublishAdd: { '80': [at('8080')] } }, 'port 80/tcp is published at 8080 already'],
      [host, { PublishAdd: { '80': [at('x')] } }, 'invalid port specification: "x"'],
      [
        { NetworkMode: 'host' },
        { PublishAdd: { '80': [] } },
        'ports cannot be published: the container has no network of its own (host)',
      ],
    ]
    for (const [hostConfig, change, message] of refusals)
      assert.throws(() => plan(hostConfig, change), { message })
  })
})
