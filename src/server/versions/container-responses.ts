import type {
  ContainerInspectResponse,
  ContainerSummary,
  EndpointSettings,
  NetworkSettings,
} from '#api/generated/types.ts'
import { isBefore, type ApiVersion } from '#api/version.ts'
import { shortId } from '#base/ids.ts'
import { graphDriverOf } from './graph-driver.ts'

/** `GET /containers/{id}/json`. */
export function lowerContainer(document: object, version: ApiVersion): object {
  const newest = document as ContainerInspectResponse
  if (!isBefore(version, '1.52')) return newest
  const { Storage: storage, ...container } = newest
  const networks = networksOf(newest.NetworkSettings?.Networks ?? {}, newest, version)
  const lowered: Record<string, unknown> = {
    ...container,
    GraphDriver: newest.GraphDriver ?? graphDriverOf(newest.Driver, storage),
    NetworkSettings: {
      ...newest.NetworkSettings,
      ...mainEndpoint(newest.NetworkSettings),
      Networks: networks,
    },
  }
  if (isBefore(version, '1.48')) delete lowered['ImageManifestDescriptor']
  return lowered
}

/** What stood at the top of NetworkSettings until 1.51: the endpoint on the default bridge. */
function mainEndpoint(settings: NetworkSettings | null | undefined): object {
  const bridge = settings?.Networks?.['bridge'] ?? {}
  return {
    Bridge: '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge.EndpointID ?? '',
    Gateway: bridge.Gateway ?? '',
    GlobalIPv6Address: bridge.GlobalIPv6Address ?? '',
    GlobalIPv6PrefixLen: bridge.GlobalIPv6PrefixLen ?? 0,
    IPAddress: bridge.IPAddress ?? '',
    IPPrefixLen: bridge.IPPrefixLen ?? 0,
    IPv6Gateway: bridge.IPv6Gateway ?? '',
    MacAddress: bridge.MacAddress ?? '',
  }
}

function networksOf(
  networks: Readonly<Record<string, EndpointSettings>>,
  container: ContainerInspectResponse,
  version: ApiVersion,
): Record<string, EndpointSettings> {
  return Object.fromEntries(
    Object.entries(networks).map(([name, endpoint]) => [
      name,
      lowerEndpoint(endpoint, predefined.has(name) ? [] : extraAliases(container), version),
    ]),
  )
}

const predefined = new Set(['bridge', 'host', 'none', 'default'])

/** Until 1.44 the aliases on user-defined networks held the short id and the host name. */
function extraAliases({ Id, Config }: ContainerInspectResponse): string[] {
  const short = shortId(Id ?? '')
  const hostname = Config?.Hostname ?? ''
  return [short, ...(hostname === short ? [] : [hostname])].filter((alias) => alias !== '')
}

function lowerEndpoint(
  endpoint: EndpointSettings,
  aliases: readonly string[],
  version: ApiVersion,
): EndpointSettings {
  const lowered = { ...endpoint }
  if (isBefore(version, '1.45') && aliases.length > 0) {
    lowered.Aliases = [...new Set([...(endpoint.Aliases ?? []), ...aliases])]
  }
  return lowered
}

/** `GET /containers/json`. */
export function lowerContainerSummaries(document: object, version: ApiVersion): object {
  if (!isBefore(version, '1.52')) return document
  return (document as ContainerSummary[]).map((summary) => lowerSummary(summary, version))
}

function lowerSummary(summary: ContainerSummary, version: ApiVersion): ContainerSummary {
  const { Health: _later, ...lowered } = summary
  if (isBefore(version, '1.48')) delete lowered.ImageManifestDescriptor
  if (isBefore(version, '1.46') && lowered.HostConfig) {
    const { Annotations: _annotations, ...hostConfig } = lowered.HostConfig
    lowered.HostConfig = hostConfig
  }
  return lowered
}
