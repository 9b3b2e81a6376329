import type { ContainerConfig, EndpointSettings, HostConfig, NetworkingConfig } from '#api/generated/types.ts'
import { EngineError, messageOf } from '#base/errors.ts'
import { canonicalAddress, contains, parseCidr } from '#network/address.ts'
import type { Attachment } from '../containers/container.ts'
import { isInterfaceName } from './driver-options.ts'
import { invalidNetwork } from './errors.ts'
import { isUserDefined } from './names-of.ts'
import type { Network } from './network.ts'
import { networkModeOf } from '../containers/network-mode.ts'

export const IFNAME_OPTION = 'com.docker.network.endpoint.ifname'
const SYSCTLS_OPTION = 'com.docker.network.endpoint.sysctls'

/** The networks that are there, as far as this needs them. */
export interface KnownNetworks {
  find(ref: string): Network | undefined
}

/**
 * The networks of a new container, that of its network mode first, under their names; everything that was said about
 * them is checked. Networks that were named, and not the mode's, are all there are. None with the stack of the host or of
 * another container, or without any.
 */
export function attachmentsOf(
  networks: KnownNetworks,
  { config, hostConfig }: { readonly config: ContainerConfig; readonly hostConfig: HostConfig },
  networking: NetworkingConfig,
  mac: string | undefined,
): Attachment[] {
  const mode = networkModeOf({ config, hostConfig })
  if (mode.startsWith('container:')) return []
  if (mode === 'host' || mode === 'none') {
    const given = networking.EndpointsConfig?.[mode]
    if (given) settingsAtCreation(named(networks, mode), given)
    return []
  }
  // An engine may have no default network: containers that name none are on none.
  const main = mode === 'bridge' ? networks.find(mode) : named(networks, mode)
  const given = Object.entries(networking.EndpointsConfig ?? {}).flatMap(([ref, settings]) => {
    const network = ref === 'default' || ref === mode ? main : named(networks, ref)
    return network === undefined ? [] : [[network, settings] as const]
  })
  const attachments = new Map<string, EndpointSettings>()
  // Whoever names networks is on these alone, whatever the mode says.
  if (main !== undefined && (given.length === 0 || given.some(([network]) => network.name === main.name))) {
    attachments.set(main.name, {})
  }
  for (const [network, settings] of given) {
    // By its id and by its name: the same one.
    const known = attachments.get(network.name)
    attachments.set(network.name, { ...known, ...settingsAtCreation(network, settings) })
  }
  const own = attachments.get(main?.name ?? '')
  if (main !== undefined && own !== undefined) attachments.set(main.name, withOwn(main, own, hostConfig, mac))
  return [...attachments].map(([network, settings]) => ({ network, settings }))
}

/** What was said of the container and is meant for its main network. */
function withOwn(
  main: Network,
  settings: EndpointSettings,
  { Links }: HostConfig,
  mac: string | undefined,
): EndpointSettings {
  return {
    ...settings,
    ...(Links && Links.length > 0 && !settings.Links && isUserDefined(main.name) ? { Links } : {}),
    // Clients before API 1.44 put it into the container's own configuration.
    ...(mac !== undefined && !settings.MacAddress ? { MacAddress: mac } : {}),
  }
}

function settingsAtCreation(network: Network, given: EndpointSettings | null | undefined): EndpointSettings {
  try {
    return endpointSettings(network, given)
  } catch (error) {
    throw invalidNetwork(`invalid config for network ${network.name}: ${messageOf(error)}`)
  }
}

/** What a client may say about an endpoint, checked; what only an engine knows is left out. */
export function endpointSettings(
  network: Network,
  given: EndpointSettings | null | undefined,
): EndpointSettings {
  const { IPAMConfig: ipam, Links, MacAddress, Aliases, DriverOpts, GwPriority } = given ?? {}
  const problems = settingsProblems(network, given ?? {})
  if (problems.length > 0) {
    // Docker's list of several errors.
    const lines = problems.length === 1 ? problems : problems.map((one) => `* ${one}`)
    throw invalidNetwork(`invalid endpoint settings:\n${lines.join('\n')}`)
  }
  const addressed =
    ipam && Object.values(ipam).some((value) => (Array.isArray(value) ? value.length > 0 : value))
  return {
    ...(addressed ? { IPAMConfig: ipam } : {}),
    ...(Links && Links.length > 0 ? { Links } : {}),
    ...(MacAddress ? { MacAddress: MacAddress.toLowerCase().replaceAll('-', ':') } : {}),
    ...(Aliases && Aliases.length > 0 ? { Aliases } : {}),
    ...(DriverOpts && Object.keys(DriverOpts).length > 0 ? { DriverOpts } : {}),
    ...(GwPriority ? { GwPriority } : {}),
  }
}

/** Sysctls of an endpoint's interface, by their names there. */
export function endpointSysctls(settings: EndpointSettings, ifname: string): Record<string, string> {
  const texts = (settings.DriverOpts?.[SYSCTLS_OPTION] ?? '').split(',').filter((text) => text !== '')
  return Object.fromEntries(
    texts.map((text) => {
      const [key = '', ...value] = text.split('=')
      return [key.replace(/\.ifname\./i, `.${ifname}.`), value.join('=')]
    }),
  )
}

function named(networks: KnownNetworks, ref: string): Network {
  const network = networks.find(ref)
  if (network !== undefined) return network
  // Not 404: at create Docker's client takes that for a missing image, and pulls it.
  throw new EngineError('invalid_argument', `network ${ref} not found`, { code: 'NETWORK_NOT_FOUND' })
}

function settingsProblems(network: Network, settings: EndpointSettings): string[] {
  const { IPv4Address, IPv6Address, LinkLocalIPs } = settings.IPAMConfig ?? {}
  const problems: string[] = []
  if (!isUserDefined(network.name)) {
    if (IPv4Address || IPv6Address)
      problems.push('user specified IP address is supported on user defined networks only')
    if ((settings.Aliases ?? []).length > 0)
      problems.push('network-scoped alias is supported only for containers in user defined networks')
  }
  if (IPv4Address) problems.push(...addressProblems(network, IPv4Address, 4))
  if (IPv6Address) problems.push(...addressProblems(network, IPv6Address, 6))
  if ((LinkLocalIPs ?? []).length > 0)
    problems.push('link-local addresses of one’s own choice are not supported')
  if (settings.MacAddress && !/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(settings.MacAddress))
    problems.push(`invalid MAC address: ${settings.MacAddress}`)
  const { [IFNAME_OPTION]: ifname, [SYSCTLS_OPTION]: sysctls } = settings.DriverOpts ?? {}
  if (ifname !== undefined && (!isInterfaceName(ifname) || ifname === 'lo'))
    problems.push(`invalid interface name: ${ifname}`)
  problems.push(...sysctlProblems(sysctls ?? ''))
  return problems
}

/** Docker looks for a subnet also of what is no address. */
function addressProblems(network: Network, text: string, family: 4 | 6): string[] {
  const address = addressOf(text, family)
  const nowhere = `no configured subnet or ip-range contain the IP address ${address ?? text}`
  if (address === undefined) return [`invalid IPv${family} address: ${text}`, nowhere]
  const subnets = isUserDefined(network.name) ? (network.info?.subnets ?? []) : []
  return subnets.some(({ subnet }) => contains(parseCidr(subnet), address)) ? [] : [nowhere]
}

function addressOf(text: string, family: 4 | 6): string | undefined {
  if (text.includes(':') !== (family === 6)) return undefined
  try {
    const address = canonicalAddress(text)
    return address === '0.0.0.0' || address === '::' ? undefined : address
  } catch {
    return undefined // said by whoever asked
  }
}

function sysctlProblems(text: string): string[] {
  return text
    .split(',')
    .filter((one) => one !== '' && !/^net\.(ipv4|ipv6|mpls)\.[a-z]+\.ifname\.[a-z_0-9]+=[^\n]*$/i.test(one))
    .map(
      (one) =>
        `unrecognised network interface sysctl '${one}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
    )
}
