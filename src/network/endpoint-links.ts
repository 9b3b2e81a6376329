/**
 * Links of containers that run. At a start the shim makes them itself; later the daemon's helper does it from outside,
 * with the host's own programs in the container's network namespace alone.
 */
import type { Helper } from '#os/helper.ts'
import { batch } from './bridge.ts'
import { commandFailed } from './errors.ts'
import type { Endpoint, NetworkInfo, SharedLink, Ways } from './networks.ts'
import { isShared } from './parent-link.ts'

export interface EndpointLinksDeps {
  readonly helper: Pick<Helper, 'run'>
}

/**
 * One pair: its end on the host in the bridge, the other one in the namespace of process `pid`, with its addresses. On a
 * link of the host an interface that is born in that namespace.
 */
export async function plugLink(
  deps: EndpointLinksDeps,
  pid: number,
  endpoint: Endpoint,
  network: NetworkInfo,
  sysctls: Readonly<Record<string, string>>,
): Promise<void> {
  const { ifname, ipv4, ipv4Prefix, ipv6, ipv6Prefix } = endpoint
  await batch(
    deps,
    isShared(network) ? [onParent(pid, endpoint, network)] : intoBridge(pid, endpoint, network),
  )
  // An interface whose packets are too small for IPv6 has nothing to switch off.
  if (ipv6 === undefined)
    await setSysctl(deps, pid, `net.ipv6.conf.${ifname}.disable_ipv6`, '1', 'test ! -e "$1" ||')
  for (const [key, value] of Object.entries(sysctls)) await setSysctl(deps, pid, key, value)
  await insideBatch(deps, pid, [
    ...(ipv4 === undefined ? [] : [`addr add ${ipv4}/${ipv4Prefix} broadcast + dev ${ifname}`]),
    ...(ipv6 === undefined ? [] : [`addr add ${ipv6}/${ipv6Prefix} dev ${ifname} nodad`]),
    `link set dev ${ifname} up`,
  ])
}

async function setSysctl(
  deps: EndpointLinksDeps,
  pid: number,
  key: string,
  value: string,
  unless = '',
): Promise<void> {
  // /proc/sys/net is that of the network namespace of whoever opens it.
  const file = `/proc/sys/${key.replaceAll('.', '/')}`
  const argv = ['sh', '-c', `${unless} printf %s "$2" > "$1"`, 'sh', file, value]
  const result = await deps.helper.run(enter(pid, argv))
  if (result.code !== 0) throw commandFailed(`sysctl ${key}=${value}`, result)
}

function intoBridge(pid: number, { veth, ifname, mac }: Endpoint, { link, mtu }: NetworkInfo): string[] {
  return [
    `link add name ${veth} mtu ${mtu} master ${link} type veth peer name ${ifname} mtu ${mtu} address ${mac} netns ${pid}`,
    `link set dev ${veth} up`,
  ]
}

function onParent(
  pid: number,
  { ifname, mac }: Endpoint,
  { link, mtu, shared }: NetworkInfo & { readonly shared: SharedLink },
): string {
  const own = mac === '' ? '' : ` address ${mac}`
  const size = mtu > 0 ? ` mtu ${mtu}` : ''
  const flag = shared.kind === 'ipvlan' ? ` ${shared.flag}` : ''
  return `link add link ${link} name ${ifname}${own}${size} netns ${pid} type ${shared.kind} mode ${shared.mode}${flag}`
}

/** An interface on a link of the host; success when it, or its namespace, is gone. */
export async function unplugShared(
  deps: EndpointLinksDeps,
  pid: number,
  { ifname }: Pick<Endpoint, 'ifname'>,
): Promise<void> {
  const result = await deps.helper.run(enter(pid, ['ip', 'link', 'delete', 'dev', ifname]))
  if (result.code === 0 || /Cannot find device|No such file or directory/.test(result.stderr)) return
  throw commandFailed(`ip link delete ${ifname}`, result)
}

/** The other end goes with it; a link that is not there is success. */
export async function unplugLink(deps: EndpointLinksDeps, veth: string): Promise<void> {
  const result = await deps.helper.run(['ip', 'link', 'delete', 'dev', veth])
  if (result.code === 0 || /Cannot find device/.test(result.stderr)) return
  throw commandFailed(`ip link delete ${veth}`, result)
}

/** Replaces the default routes of the namespace. */
export async function routeThrough(deps: EndpointLinksDeps, pid: number, { v4, v6 }: Ways): Promise<void> {
  const command = (family: string, via: string | undefined, dev: string | undefined): string[] => {
    if (via === undefined) return ['ip', family, 'route', 'flush', 'default']
    const next = isUnspecified(via) ? [] : ['via', via]
    return ['ip', family, 'route', 'replace', 'default', ...next, 'dev', dev ?? '']
  }
  await inside(deps, pid, command('-4', v4?.gateway, v4?.ifname))
  // A namespace without IPv6 has nothing to route.
  const result = await deps.helper.run(enter(pid, command('-6', v6?.gateway6, v6?.ifname)))
  if (result.code !== 0 && v6 !== undefined) throw commandFailed('ip -6 route', result)
}

/** A gateway that says: everybody is on the link itself. */
function isUnspecified(gateway: string): boolean {
  return gateway === '0.0.0.0' || gateway === '::'
}

async function insideBatch(deps: EndpointLinksDeps, pid: number, commands: readonly string[]): Promise<void> {
  const result = await deps.helper.run(enter(pid, ['ip', '-batch', '-']), {
    stdin: `${commands.join('\n')}\n`,
  })
  if (result.code !== 0) throw commandFailed(`ip ${commands.join('; ')}`, result)
}

async function inside(deps: EndpointLinksDeps, pid: number, argv: readonly string[]): Promise<void> {
  const result = await deps.helper.run(enter(pid, argv))
  if (result.code !== 0) throw commandFailed(argv.join(' '), result)
}

function enter(pid: number, argv: readonly string[]): string[] {
  return ['nsenter', `--net=/proc/${pid}/ns/net`, ...argv]
}
