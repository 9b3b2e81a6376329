import type { Endpoint, NetworkInfo, Ways } from '#network/networks.ts'
import type { ShimLink } from '#runtime/shim.ts'

/** The interface of an endpoint as a shim is to make it; of each family, it has a default route if it is that family's way. */
export function shimLink({ link, mtu, shared }: NetworkInfo, endpoint: Endpoint, ways: Ways): ShimLink {
  const { veth, ifname, mac, ipv4, ipv4Prefix, ipv6, ipv6Prefix } = endpoint
  const gateways = [
    ...(ways.v4 === endpoint ? [endpoint.gateway] : []),
    ...(ways.v6 === endpoint ? [endpoint.gateway6] : []),
  ].filter((gateway) => gateway !== undefined)
  const own = {
    name: ifname,
    mtu,
    addresses: [
      ...(ipv4 === undefined ? [] : [`${ipv4}/${ipv4Prefix}`]),
      ...(ipv6 === undefined ? [] : [`${ipv6}/${ipv6Prefix}`]),
    ],
    gateways,
  }
  if (shared === undefined) return { ...own, veth, bridge: link, mac }
  const on = { ...shared, parent: link }
  return { ...own, on, ...(mac === '' ? {} : { mac }) }
}
