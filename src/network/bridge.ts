/** The bridge link of a network and the kernel settings around it. */
import { EngineError } from '#base/errors.ts'
import type { Helper } from '#os/helper.ts'
import type { Sysctls } from '#os/proc/sysctl.ts'
import { commandFailed } from './errors.ts'
import type { RouteEntry } from './ipam.ts'

export interface LinkDeps {
  readonly helper: Pick<Helper, 'run'>
  readonly sysctls: Sysctls
}

export interface BridgeSettings {
  readonly link: string
  /** Of the bridge; the same whenever it is made again, so that containers go on knowing their gateway. */
  readonly mac: string
  readonly mtu: number
  /** Addresses with prefix length, such as `172.17.0.1/16`. */
  readonly addresses: readonly string[]
  /** Links of running containers, which are put into a bridge that is made. */
  readonly ports?: readonly string[] | undefined
}

/** What `ip -j -d addr show` tells about a link, as far as we care. */
export interface LinkState {
  readonly kind: string | undefined
  readonly mac: string
  readonly up: boolean
  readonly mtu: number
  /** With prefix length. */
  readonly addresses: readonly string[]
  /** The same, of those that only mean something on the link: every link with IPv6 has one of the kernel's. */
  readonly linkLocal?: readonly string[] | undefined
}

/** The link's state, or undefined when there is none of that name. */
export async function linkState(deps: LinkDeps, link: string): Promise<LinkState | undefined> {
  const result = await deps.helper.run(['ip', '-j', '-d', 'addr', 'show', 'dev', link])
  if (result.code !== 0) {
    if (/does not exist|Cannot find device/.test(result.stderr)) return undefined
    throw commandFailed(`ip addr show dev ${link}`, result)
  }
  const [shown] = JSON.parse(result.stdout) as [ShownLink]
  return stateOf(shown, shown.linkinfo?.info_kind)
}

/** All bridges of the host, by name, with one call however many there are. */
export async function bridgeStates(deps: LinkDeps): Promise<ReadonlyMap<string, LinkState>> {
  const command = ['ip', '-j', 'addr', 'show', 'type', 'bridge']
  const result = await deps.helper.run(command)
  if (result.code !== 0) throw commandFailed(command.join(' '), result)
  const shown = result.stdout.trim() === '' ? [] : (JSON.parse(result.stdout) as Partial<ShownLink>[])
  // Some versions of ip print an empty object for every link of another kind.
  return new Map(shown.filter(isShown).map((one) => [one.ifname, stateOf(one, 'bridge')]))
}

interface ShownLink {
  readonly ifname: string
  readonly address: string
  readonly flags: readonly string[]
  readonly mtu: number
  readonly linkinfo?: { readonly info_kind?: string }
  readonly addr_info?: readonly {
    readonly local: string
    readonly prefixlen: number
    readonly scope: string
  }[]
}

function isShown(shown: Partial<ShownLink>): shown is ShownLink {
  return shown.ifname !== undefined
}

function stateOf(shown: ShownLink, kind: string | undefined): LinkState {
  return {
    kind,
    mac: shown.address,
    up: shown.flags.includes('UP'),
    mtu: shown.mtu,
    addresses: addressesOf(shown, false),
    linkLocal: addressesOf(shown, true),
  }
}

function addressesOf({ addr_info: addresses = [] }: ShownLink, linkLocal: boolean): string[] {
  return addresses
    .filter(({ scope }) => (scope === 'link') === linkLocal)
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`)
}

/** Every route of the host, of both families and all tables. */
export async function hostRoutes(deps: LinkDeps): Promise<RouteEntry[]> {
  const routes: RouteEntry[] = []
  for (const family of ['-4', '-6']) {
    const result = await deps.helper.run(['ip', '-j', family, 'route', 'show', 'table', 'all'])
    // A kernel without IPv6 has no routes to avoid there.
    if (result.code === 0 && result.stdout.trim() !== '') {
      routes.push(...(JSON.parse(result.stdout) as RouteEntry[]))
    }
  }
  return routes
}

/**
 * Makes the bridge as described, or mends it; `made` or `mended` when something had to be changed. A `state` that was read
 * before is trusted when all is well. Of a link that is `settled` the settings are not looked at. A bridge with another
 * MAC is somebody else's, who has things of its own on it: it gets what is missing, and keeps the rest.
 */
export async function ensureBridge(
  deps: LinkDeps,
  settings: BridgeSettings,
  known: { readonly state?: LinkState | undefined; readonly settled?: boolean } = {},
): Promise<'made' | 'mended' | 'fine'> {
  const { link, mac, ports = [] } = settings
  const fine = known.state !== undefined && changes(settings, known.state).length === 0
  const state = fine ? known.state : await linkState(deps, link)
  if (state !== undefined && state.kind !== 'bridge') {
    throw new EngineError('conflict', `link ${link} exists and is not a bridge`, {
      code: 'NETWORK_LINK_CONFLICT',
      details: { link, kind: state.kind },
    })
  }
  // An address of its own, so that it does not change with the first container.
  if (state === undefined) {
    await batch(deps, [`link add name ${link} address ${mac} type bridge`])
    // Before it has an address: whoever asks for a container's MAC that is not there yet asks again a second later.
    await enslave(deps, ports, link)
  }
  const settled = state !== undefined && known.settled === true
  const lent = state !== undefined && state.mac !== mac
  const mended = !settled && (await bridgeSysctls(deps.sysctls, settings, lent))
  const commands = changes(settings, state)
  if (commands.length > 0) await batch(deps, commands)
  if (state === undefined) return 'made'
  return mended || commands.length > 0 ? 'mended' : 'fine'
}

function changes(settings: BridgeSettings, state: LinkState | undefined): string[] {
  const { link, mac, mtu, addresses } = settings
  const lent = state !== undefined && state.mac !== mac
  const present = [...(state?.addresses ?? []), ...(state?.linkLocal ?? [])]
  const withPrefix = (one: string, other: string): boolean => one === other
  const same = lent ? sameAddress : withPrefix
  return [
    ...(lent || state?.mtu === mtu ? [] : [`link set dev ${link} mtu ${mtu}`]),
    ...(lent ? [] : surplus(settings, state)).map((address) => `addr del ${address} dev ${link}`),
    ...addresses
      .filter((address) => !present.some((other) => same(address, other)))
      .map((address) =>
        address.includes(':')
          ? `addr add ${address} dev ${link} nodad`
          : `addr add ${address} broadcast + dev ${link}`,
      ),
    ...(state?.up === true ? [] : [`link set dev ${link} up`]),
  ]
}

/** Addresses of a bridge of ours that are to go. What the kernel has given it stays. */
function surplus({ addresses }: BridgeSettings, state: LinkState | undefined): string[] {
  const { addresses: others = [], linkLocal = [] } = state ?? {}
  const wanted = linkLocal.filter((address) => addresses.some((one) => sameAddress(one, address)))
  return [...others, ...wanted].filter((address) => !addresses.includes(address))
}

function sameAddress(one: string, other: string): boolean {
  return one.split('/')[0] === other.split('/')[0]
}

/** Turns forwarding on; true when it was off, so that the host forwarded nothing before. */
export async function enableForwarding(sysctls: Sysctls, ipv6: boolean): Promise<boolean> {
  const was = await sysctls.read('net', 'ipv4', 'ip_forward')
  if (was !== '1') await sysctls.write('1', 'net', 'ipv4', 'ip_forward')
  if (ipv6 && (await sysctls.read('net', 'ipv6', 'conf', 'all', 'forwarding')) !== '1') {
    await sysctls.write('1', 'net', 'ipv6', 'conf', 'all', 'forwarding')
  }
  return was !== '1'
}

/** Only the bridge that has the address `mac`, so that nobody else's goes. */
export async function removeBridge(deps: LinkDeps, link: string, mac: string): Promise<void> {
  if (link === '') return
  const state = await linkState(deps, link)
  if (state?.kind !== 'bridge' || state.mac !== mac) return
  await batch(deps, [`link delete dev ${link}`])
}

async function bridgeSysctls(
  sysctls: Sysctls,
  { link, addresses }: BridgeSettings,
  lent: boolean,
): Promise<boolean> {
  const ipv6 = addresses.some((address) => address.includes(':'))
  const wanted: readonly (readonly [string, ...string[]])[] = [
    // Containers are reached from the host's 127.0.0.1; the firewall drops such addresses coming from outside.
    ['1', 'net', 'ipv4', 'conf', link, 'route_localnet'],
    ...(lent ? [] : settingsOfOurs(link, ipv6)),
    ...(ipv6 ? [['0', 'net', 'ipv6', 'conf', link, 'disable_ipv6'] as const] : []),
  ]
  let changed = false
  for (const [value, ...key] of wanted) {
    const current = await sysctls.read(...key)
    if (current === undefined || current === value) continue
    await sysctls.write(value, ...key)
    changed = true
  }
  return changed
}

function settingsOfOurs(link: string, ipv6: boolean): readonly (readonly [string, ...string[]])[] {
  return [
    // A container must not reconfigure the host by router advertisements (CVE-2020-13401).
    ['0', 'net', 'ipv6', 'conf', link, 'accept_ra'],
    // Its address is its own. While the kernel looks whether others have it, nothing that is routed finds a container.
    ['0', 'net', 'ipv6', 'conf', link, 'accept_dad'],
    ...(ipv6 ? [] : [['1', 'net', 'ipv6', 'conf', link, 'disable_ipv6'] as const]),
  ]
}

/** Puts the pairs of running containers back into a bridge that was made again. */
export async function enslave(
  deps: Pick<LinkDeps, 'helper'>,
  veths: readonly string[],
  link: string,
): Promise<void> {
  if (veths.length === 0) return
  const stdin = veths.map((veth) => `link set dev ${veth} master ${link} up\n`).join('')
  // Some are of containers that are just starting or ending: their links are not there.
  const result = await deps.helper.run(['ip', '-force', '-batch', '-'], { stdin })
  const others = result.stderr.split('\n').filter((line) => /RTNETLINK/.test(line))
  if (result.code !== 0 && others.length > 0) throw commandFailed(`ip link set master ${link}`, result)
}

/** Several commands of ip, up to the first that fails. */
export async function batch(deps: Pick<LinkDeps, 'helper'>, commands: readonly string[]): Promise<void> {
  const result = await deps.helper.run(['ip', '-batch', '-'], { stdin: `${commands.join('\n')}\n` })
  if (result.code !== 0) throw commandFailed(`ip ${commands.join('; ')}`, result)
}
