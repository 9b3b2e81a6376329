import type { EndpointResource, Network as NetworkDocument } from '#api/generated/types.ts'
import type { Endpoint } from '#network/networks.ts'
import { ipamConfig } from './subnet-config.ts'
import type { Network } from './network.ts'

/** The document of a network as a list has it. */
export function networkDocument(network: Network): NetworkDocument {
  const { id, name, createdAt, driver, enableIPv4, enableIPv6, internal, attachable, ipam, info } = network
  const config = info === undefined ? [...(ipam.config ?? [])] : ipamConfig(info.subnets)
  return {
    Name: name,
    Id: id,
    Created: createdAt,
    Scope: 'local',
    Driver: driver,
    EnableIPv4: enableIPv4,
    EnableIPv6: enableIPv6,
    IPAM: {
      Driver: ipam.driver,
      Options: ipam.options === null ? null : { ...ipam.options },
      Config: driver === 'host' || network.name === 'none' ? null : config,
    },
    Internal: internal,
    Attachable: attachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom ?? '' },
    ConfigOnly: network.configOnly === true,
    Options: { ...network.options },
    Labels: { ...network.labels },
  }
}

export interface NetworkUse {
  /** Endpoints by container. */
  readonly leases: ReadonlyMap<string, Endpoint>
  readonly nameOf: (containerId: string) => string
}

/** `Containers` of an inspected network. */
export function endpointResources({ leases, nameOf }: NetworkUse): Record<string, EndpointResource> {
  return Object.fromEntries([...leases].map(([id, endpoint]) => [id, endpointResource(nameOf(id), endpoint)]))
}

function endpointResource(name: string, endpoint: Endpoint): EndpointResource {
  const { id, mac, ipv4, ipv4Prefix, ipv6, ipv6Prefix } = endpoint
  return {
    Name: name,
    EndpointID: id,
    MacAddress: mac,
    IPv4Address: ipv4 === undefined ? '' : `${ipv4}/${ipv4Prefix}`,
    IPv6Address: ipv6 === undefined ? '' : `${ipv6}/${ipv6Prefix}`,
  }
}
