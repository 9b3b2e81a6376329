/** Which elements of the firewall make a network and a published port; pure. */
import { canonicalAddress } from './address.ts'
import { modeOf } from './direct-ports.ts'
import type { NetworkInfo, Protocol, SubnetInfo } from './networks.ts'
import { type Element, quoted } from './nft-elements.ts'

export interface BridgeRules {
  /** Its containers may talk to each other. */
  readonly icc: boolean
  /** Nothing comes in or goes out. */
  readonly internal?: boolean | undefined
  /** What leaves for other links takes the host's address; default: yes. */
  readonly masquerade?: boolean | undefined
  readonly sources?: NetworkInfo['sources']
  readonly modes?: NetworkInfo['modes']
  readonly trusted?: NetworkInfo['trusted']
}

/** A bridge of ours with its subnets; `gateway` is the bridge's address in one, empty if it has none. */
export function bridgeElements(
  link: string,
  subnets: readonly Pick<SubnetInfo, 'subnet' | 'gateway'>[],
  rules: BridgeRules,
): Element[] {
  const { icc, internal = false, masquerade = true, sources, modes } = rules
  const own = `${quoted(link)} . ${quoted(link)}`
  const masqueraded = subnets.filter(
    ({ subnet }) => masquerade && !internal && modeOf({ modes }, familyOf(subnet)) !== 'routed',
  )
  return [
    { set: 'bridges', key: quoted(link) },
    { set: icc ? 'icc' : 'apart', key: own },
    { set: 'from', key: quoted(link), value: internal ? 'jump enclosed' : 'goto outward' },
    { set: 'to', key: quoted(link), value: internal ? 'jump enclosed' : 'jump inward' },
    ...subnets.map(({ subnet }): Element => ({ set: `subnets${familyOf(subnet)}`, key: subnet })),
    ...subnets
      .filter(({ gateway }) => gateway !== '')
      .map(({ subnet, gateway }): Element => {
        return { set: `gateways${familyOf(subnet)}`, key: subnet, value: canonicalAddress(gateway) }
      }),
    ...masqueraded.map(({ subnet }): Element => {
      const family = familyOf(subnet)
      const source = family === 4 ? sources?.v4 : sources?.v6
      if (source === undefined) return { set: `masq${family}`, key: subnet }
      return { set: `snat${family}`, key: subnet, value: canonicalAddress(source) }
    }),
    ...(internal ? [] : waysIn(link, rules)),
  ]
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4
}

/** A link whose packets the host does not hear. */
export function deafElement(link: string): Element {
  return { set: 'deaf', key: quoted(link) }
}

/** Who gets in beside answers, published ports of the host and the network itself. */
function waysIn(link: string, { modes, trusted = [] }: BridgeRules): Element[] {
  const key = quoted(link)
  const families = ([4, 6] as const).flatMap((family): Element[] => {
    const mode = modeOf({ modes }, family)
    if (mode === 'routed') return [{ set: `routed${family}`, key }]
    return mode === 'nat-unprotected' ? [{ set: `unprotected${family}`, key }] : []
  })
  return [
    ...families,
    ...trusted.map((from): Element => ({ set: 'trusted', key: `${quoted(from)} . ${key}` })),
  ]
}

export interface Forwarding {
  readonly hostIp: string
  readonly hostPort: number
  readonly protocol: Protocol
  readonly ip: string
  readonly port: number
  readonly comment: string
}

/**
 * The elements that forward a host port. Where the kernel cannot, to the other address family and from the IPv6 loopback
 * address, there is at most the one that sees to the answers of the socket that does it.
 */
export function forwardingElements(forwarding: Forwarding): Element[] {
  const { hostIp, hostPort, protocol, ip, port, comment } = forwarding
  const v6 = hostIp.includes(':')
  const wildcard = hostIp === '0.0.0.0' || hostIp === '::'
  const relayed: Element[] =
    wildcard && protocol === 'udp'
      ? [{ set: v6 ? 'relayed6' : 'relayed4', key: String(hostPort), comment }]
      : []
  if (v6 !== ip.includes(':') || hostIp === '::1') return relayed
  const service = `${protocol} . ${hostPort}`
  const target = canonicalAddress(ip)
  return [
    ...relayed,
    {
      set: `dnat${v6 ? 6 : 4}${wildcard ? 'any' : ''}`,
      key: wildcard ? service : `${canonicalAddress(hostIp)} . ${service}`,
      value: `${target} . ${port}`,
      comment,
    },
    { set: v6 ? 'self6' : 'self4', key: `${target} . ${service}`, comment },
  ]
}

/** Whether an element leads to a container, or opens a way; the others see to callers and answers of special kinds. */
export function leads({ set }: Element): boolean {
  return !set.startsWith('self') && !set.startsWith('relayed')
}
