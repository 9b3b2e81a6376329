import type { EndpointSettings } from '#api/generated/types.ts'
import { shortId } from '#base/ids.ts'
import type { Container } from '../containers/container.ts'

/** Networks that somebody made, as opposed to those that are always there. */
export function isUserDefined(network: string): boolean {
  return !['', 'default', 'bridge', 'host', 'none'].includes(network) && !network.startsWith('container:')
}

/** What a container is called on a user-defined network; the first one is the answer to a reverse look-up. */
export function dnsNames(
  { id, name, config }: Pick<Container, 'id' | 'name' | 'config'>,
  { Aliases: aliases }: EndpointSettings,
): string[] {
  const names = [name, ...(aliases ?? []), shortId(id), config.Hostname ?? '']
  return [...new Set(names.filter((one) => one !== ''))]
}
