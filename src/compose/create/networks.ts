import type { EndpointIPAMConfig, EndpointSettings } from '#api/generated/types.ts'
import type { Project, Service, ServiceNetwork } from '../model/project.ts'
import { present } from './present.ts'

/** What a container is on: its mode, and an endpoint for each network. */
export interface Endpoints {
  readonly mode: string
  readonly endpoints: Readonly<Record<string, EndpointSettings>>
}

/** Names of the container in every network: its own, its service's, and the aliases of the file. */
export function endpointsOf(
  project: Project,
  service: Service,
  {
    name,
    container,
    aliases,
  }: { readonly name: string; readonly container: string; readonly aliases: boolean },
): Endpoints {
  const { network_mode } = service
  if (network_mode !== undefined) return { mode: network_mode, endpoints: {} }
  const keys = byPriority(service.networks ?? {})
  const own = aliases ? [container, name] : [container]
  const entries = keys.map((key): [string, EndpointSettings] => {
    const settings = service.networks?.[key] ?? {}
    return [networkName(project, key), endpoint(service, settings, aliases ? own : [container], aliases)]
  })
  const [first] = entries
  return first === undefined
    ? { mode: 'none', endpoints: {} }
    : { mode: first[0], endpoints: Object.fromEntries(entries) }
}

function networkName({ networks }: Project, key: string): string {
  return networks[key]?.name ?? key
}

/** The networks of a service, the most important one first. */
function byPriority(networks: Readonly<Record<string, ServiceNetwork | null>>): readonly string[] {
  const priority = (key: string): number => networks[key]?.priority ?? 0
  return Object.keys(networks).toSorted((a, b) => priority(b) - priority(a) || (a < b ? -1 : 1))
}

function endpoint(
  service: Service,
  settings: ServiceNetwork,
  own: readonly string[],
  aliases: boolean,
): EndpointSettings {
  const {
    ipv4_address,
    ipv6_address,
    link_local_ips,
    mac_address,
    driver_opts,
    gw_priority,
    interface_name,
  } = settings
  const ipam = present<NonNullable<EndpointIPAMConfig>>({
    IPv4Address: ipv4_address,
    IPv6Address: ipv6_address,
    LinkLocalIPs: link_local_ips,
  })
  const options = {
    ...driver_opts,
    ...(interface_name === undefined ? {} : { 'com.docker.network.endpoint.ifname': interface_name }),
  }
  return present<EndpointSettings>({
    Aliases: [...new Set([...own, ...(aliases ? (settings.aliases ?? []) : [])])],
    Links: linksOf(service),
    IPAMConfig: Object.keys(ipam).length === 0 ? undefined : ipam,
    MacAddress: mac_address ?? service.mac_address,
    DriverOpts: Object.keys(options).length === 0 ? undefined : options,
    GwPriority: gw_priority,
  })
}

/** Containers outside of the project under names of our own; services of it are found by name anyway, or by alias. */
function linksOf({ external_links }: Service): string[] | undefined {
  return external_links?.map((link) => (link.includes(':') ? link : `${link}:${link}`))
}
