import type { Container } from './container.ts'

/** Whose network stack a container has: its `NetworkMode`, or `none` where networking was disabled altogether. */
export function networkModeOf({ config, hostConfig }: Pick<Container, 'config' | 'hostConfig'>): string {
  return config.NetworkDisabled === true ? 'none' : (hostConfig.NetworkMode ?? 'bridge')
}
