import assert from 'node:assert/strict'
import { it } from 'node:test'
import { attachmentsOf, type KnownNetworks } from './attachments.ts'
import type { Network } from './network.ts'

const known: KnownNetworks = {
  find: (ref) => (['none', 'host', 'bridge'].includes(ref) ? ({ name: ref } as Network) : undefined),
}

function attached(NetworkMode: string, EndpointsConfig: Record<string, object>): readonly string[] {
  const container = { config: {}, hostConfig: { NetworkMode } }
  return attachmentsOf(known, container, { EndpointsConfig }, undefined).map(({ network }) => network)
}

for (const mode of ['none', 'host']) {
  it(`a container on ${mode} has no networks, and can be given no address there`, () => {
    assert.deepEqual(attached(mode, {}), [])
    assert.deepEqual(attached(mode, { [mode]: { IPAMConfig: null, Aliases: [] } }), [])
    assert.throws(
      () => attached(mode, { [mode]: { IPAMConfig: { IPv4Address: '192.0.2.7' } } }),
      /invalid config for network .*user specified IP address is supported on user defined networks only/s,
    )
  })
}
