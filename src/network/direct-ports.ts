/** Published ports that are reached at the container's own address, by whoever has a route to it; pure. */
import { canonicalAddress } from './address.ts'
import type {
  GatewayMode,
  NetworkInfo,
  PortReach,
  PortRequest,
  PublishTarget,
  PublishedPort,
} from './networks.ts'
import type { Element } from './nft-elements.ts'

type Family = 4 | 6

/** How published ports of a network's containers are reached; undefined: as usual. */
export function portReach(info: NetworkInfo | undefined, family: Family): PortReach | undefined {
  if (info === undefined) return undefined
  if (modeOf(info, family) === 'routed') return 'address'
  return (info.trusted ?? []).length > 0 ? 'trusted' : undefined
}

export function modeOf({ modes }: Pick<NetworkInfo, 'modes'>, family: Family): GatewayMode {
  return (family === 4 ? modes?.v4 : modes?.v6) ?? 'nat'
}

export interface SplitRequests {
  /** For a port of the host. */
  readonly translated: readonly PortRequest[]
  /** At the container's address alone: they have no port of the host. */
  readonly direct: readonly PublishedPort[]
}

/**
 * What is asked of a host address means both families where none was named. In a family whose network is routed, host address
 * and host port say nothing; the other family's do not lead to its address either.
 */
export function splitRequests(target: PublishTarget, requests: readonly PortRequest[]): SplitRequests {
  if (target.reach4 !== 'address' && target.reach6 !== 'address') return { translated: requests, direct: [] }
  const translated: PortRequest[] = []
  const direct: PublishedPort[] = []
  for (const request of requests) {
    const { containerPort, protocol, hostIp } = request
    for (const family of familiesOf(hostIp)) {
      const wildcard = family === 4 ? '0.0.0.0' : '::'
      if ((family === 4 ? target.ipv4 : target.ipv6) === undefined) continue
      const routed = (family === 4 ? target.reach4 : target.reach6) === 'address'
      if (routed) direct.push({ containerPort, protocol, hostIp: wildcard, hostPort: 0 })
      else translated.push({ ...request, hostIp: hostIp === '' ? wildcard : hostIp })
    }
  }
  const unique = new Map(
    direct.map((port) => [`${port.hostIp} ${port.protocol} ${port.containerPort}`, port]),
  )
  return { translated, direct: [...unique.values()] }
}

/** True for a port that is not one of the host. */
export function isDirect({ hostPort }: Pick<PublishedPort, 'hostPort'>): boolean {
  return hostPort === 0
}

/** Whether ports that were published for another endpoint can lead to this one as they are. */
export function keepsPorts(target: PublishTarget, ports: readonly PublishedPort[]): boolean {
  const routed = (hostIp: string): boolean =>
    (hostIp.includes(':') ? target.reach6 : target.reach4) === 'address'
  return ports.every((port) => isDirect(port) === routed(port.hostIp))
}

/** What opens a port at the container's address. `open`: for everybody who has a route to it. */
export function directElements(
  target: PublishTarget,
  { containerPort, protocol, hostIp }: PublishedPort,
  { comment, open }: { readonly comment: string; readonly open: boolean },
): Element[] {
  const v6 = hostIp.includes(':')
  const [address, reach] = v6 ? [target.ipv6, target.reach6] : [target.ipv4, target.reach4]
  if (address === undefined) return []
  const key = `${canonicalAddress(address)} . ${protocol} . ${containerPort}`
  if (open || reach === 'address') return [{ set: v6 ? 'open6' : 'open4', key, comment }]
  return reach === 'trusted' ? [{ set: v6 ? 'direct6' : 'direct4', key, comment }] : []
}

function familiesOf(hostIp: string): readonly Family[] {
  if (hostIp === '') return [4, 6]
  return hostIp.includes(':') ? [6] : [4]
}
