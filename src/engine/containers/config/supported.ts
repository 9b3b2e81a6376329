import type { HostConfig, NetworkingConfig } from '#api/generated/types.ts'
import { invalidConfig } from './errors.ts'

/**
 * Refuses what Docker can do and this engine cannot: to ignore a limit or an address would be worse than to
 * say so.
 */
export function checkSupported(hostConfig: HostConfig, networking: NetworkingConfig): void {
  const isolation = hostConfig.Isolation ?? ''
  if (!['', 'default'].includes(isolation)) {
    throw invalidConfig(`invalid isolation (${isolation}): linux only supports 'default'`)
  }
  if (Object.keys(hostConfig.StorageOpt ?? {}).length > 0) {
    throw invalidConfig('--storage-opt is not supported: the size of containers cannot be limited')
  }
  if (hostConfig.NetworkMode === 'bridge') checkAddress(networking)
}

function checkAddress({ EndpointsConfig: endpoints }: NetworkingConfig): void {
  const { bridge, default: unnamed } = endpoints ?? {}
  const { IPv4Address, IPv6Address } = (bridge ?? unnamed)?.IPAMConfig ?? {}
  if (IPv4Address || IPv6Address) {
    throw invalidConfig('user specified IP address is supported on user defined networks only')
  }
}
