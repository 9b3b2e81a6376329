import { type LinkDeps, linkState } from './bridge.ts'
import type { Endpoint, NetworkInfo } from './networks.ts'

/** The way from the host to an endpoint of a running container, as the kernel has it. */
export interface PathReport {
  /** `net.ipv4.ip_forward`, or that of IPv6 for an endpoint without IPv4. */
  readonly forwarding: boolean
  readonly bridge: LinkReport
  /** Host end of the pair: `astray` when it is not in the bridge. */
  readonly link: LinkReport | 'astray'
  /** The container's end is up and has its address. */
  readonly inside: boolean
  /** The container has a default route, or is not to have one. */
  readonly wayBack: boolean
  /** The link by which the host sends to the endpoint's address; undefined: no way. */
  readonly route: string | undefined
}

type LinkReport = 'missing' | 'down' | 'up'

export async function endpointPath(
  deps: LinkDeps,
  pid: number,
  endpoint: Endpoint,
  { link, shared }: NetworkInfo,
): Promise<PathReport> {
  const { ipv4, ipv6, veth, ifname, gateway, gateway6 } = endpoint
  const address = ipv4 ?? ipv6 ?? ''
  const family = ipv4 === undefined ? '-6' : '-4'
  const bridge = await linkState(deps, link)
  const own = await shown(deps, ['ip', '-j', 'link', 'show', 'dev', veth])
  const enter = ['nsenter', `--net=/proc/${pid}/ns/net`]
  const inner = await shown(deps, [...enter, 'ip', '-j', 'addr', 'show', 'dev', ifname])
  const back = await shown(deps, [...enter, 'ip', '-j', family, 'route', 'show', 'default'])
  const route = await shown(deps, ['ip', '-j', 'route', 'get', address])
  const pair = own?.['master'] === link ? reportOf(own) : own === undefined ? 'missing' : 'astray'
  return {
    forwarding: (await forwarding(deps, family)) === '1',
    bridge: bridge === undefined ? 'missing' : bridge.up ? 'up' : 'down',
    // A network on a link of the host has no pairs.
    link: shared === undefined ? pair : 'up',
    inside: reportOf(inner) === 'up' && addressesOf(inner).includes(address),
    wayBack: (ipv4 === undefined ? gateway6 : gateway) === undefined || back !== undefined,
    route: route === undefined ? undefined : String(route['dev']),
  }
}

type Shown = Readonly<Record<string, unknown>>

/** The first object that ip prints; undefined when there is none. */
async function shown({ helper }: LinkDeps, argv: readonly string[]): Promise<Shown | undefined> {
  const { code, stdout } = await helper.run(argv)
  if (code !== 0 || stdout.trim() === '') return undefined
  const all = JSON.parse(stdout) as Shown[]
  return all.find((one) => Object.keys(one).length > 0)
}

function reportOf(link: Shown | undefined): LinkReport {
  if (link === undefined) return 'missing'
  return (link['flags'] as string[] | undefined)?.includes('UP') === true ? 'up' : 'down'
}

function addressesOf(link: Shown | undefined): string[] {
  return ((link?.['addr_info'] ?? []) as { local?: string }[]).map(({ local = '' }) => local)
}

async function forwarding({ sysctls }: LinkDeps, family: string): Promise<string | undefined> {
  return family === '-4'
    ? sysctls.read('net', 'ipv4', 'ip_forward')
    : sysctls.read('net', 'ipv6', 'conf', 'all', 'forwarding')
}
