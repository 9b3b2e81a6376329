import type { Container } from './container.ts'

/** A sysctl of the container's own switches IPv6 off on all its interfaces: it can have no such address. */
export function hasIpv6Off({ hostConfig }: Pick<Container, 'hostConfig'>): boolean {
  return hostConfig.Sysctls?.['net.ipv6.conf.all.disable_ipv6'] === '1'
}

/** Whose network stack a container has: its `NetworkMode`, or `none` where networking was disabled altogether. */
export function networkModeOf({ config, hostConfig }: Pick<Container, 'config' | 'hostConfig'>): string {
  return config.NetworkDisabled === true ? 'none' : (hostConfig.NetworkMode ?? 'bridge')
}
