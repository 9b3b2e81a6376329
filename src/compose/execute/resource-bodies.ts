import type { VolumeCreateRequest } from '#api/generated/types.ts'
import type { NetworkCreateRequest } from '#client/networks.ts'
import { present } from '../create/present.ts'
import type { NetworkResource, VolumeResource } from '../model/project.ts'

/** The body of `POST /networks/create`, without name and labels. */
export function networkBody(network: NetworkResource): Omit<NetworkCreateRequest, 'Name' | 'Labels'> {
  const { driver, driver_opts, internal, attachable, enable_ipv4, enable_ipv6, ipam } = network
  return present<Omit<NetworkCreateRequest, 'Name' | 'Labels'>>({
    Driver: driver,
    Options: driver_opts,
    Internal: internal,
    Attachable: attachable,
    EnableIPv4: enable_ipv4,
    EnableIPv6: enable_ipv6,
    IPAM: ipamBody(ipam),
  })
}

function ipamBody({ driver, config }: NetworkResource['ipam']): NetworkCreateRequest['IPAM'] {
  if (driver === undefined && config === undefined) return undefined
  return {
    ...(driver === undefined ? {} : { Driver: driver }),
    Config: (config ?? []).map((pool) =>
      present({
        Subnet: pool.subnet,
        Gateway: pool.gateway,
        IPRange: pool.ip_range,
        AuxiliaryAddresses: pool.aux_addresses,
      }),
    ),
  }
}

/** The body of `POST /volumes/create`, without name and labels. */
export function volumeBody({ driver, driver_opts }: VolumeResource): VolumeCreateRequest {
  return present<VolumeCreateRequest>({ Driver: driver, DriverOpts: driver_opts })
}
