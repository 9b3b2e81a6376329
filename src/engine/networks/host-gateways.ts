import type { NetworkInfo } from '#network/networks.ts'

/** What `host-gateway` stands for in hosts files: what was configured, else the addresses of the default bridge. */
export function hostGateways(bridge: NetworkInfo, configured: readonly string[]): readonly string[] {
  if (configured.length > 0) return configured
  return bridge.subnets.map(({ gateway }) => gateway).filter((gateway) => gateway !== '')
}
