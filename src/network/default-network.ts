import { addressAt, formatCidr, offsetOf, parseCidr } from './address.ts'
import { type LinkDeps, hostRoutes, linkState } from './bridge.ts'
import { choosePool, defaultPools, routedRanges } from './ipam.ts'
import type { SubnetInfo } from './networks.ts'
import { type PoolBase, freeSubnet } from './subnets.ts'

export interface DefaultSubnetsRequest {
  readonly link: string
  /** Gateways with prefix length, as far as they are given. */
  readonly address: string | undefined
  readonly address6: string | undefined
  readonly pools: readonly PoolBase[] | undefined
}

/** Subnets of the default bridge. Containers of a former daemon live in the one that it has already: that is kept. */
export async function defaultSubnets(deps: LinkDeps, request: DefaultSubnetsRequest): Promise<SubnetInfo[]> {
  const { link, address6, pools } = request
  const address =
    request.address ?? (await presentAddress(deps, link)) ?? (await freeAddress(deps, link, pools))
  return [address, ...(address6 === undefined ? [] : [address6])].map(subnetOf)
}

async function presentAddress(deps: LinkDeps, link: string): Promise<string | undefined> {
  const state = await linkState(deps, link)
  return state?.addresses.find((address) => !address.includes(':'))
}

async function freeAddress(
  deps: LinkDeps,
  link: string,
  pools: DefaultSubnetsRequest['pools'],
): Promise<string> {
  const taken = routedRanges(await hostRoutes(deps), link)
  const own = pools?.filter(({ base }) => !base.includes(':')) ?? []
  const cidr = own.length === 0 ? choosePool(taken, defaultPools) : freeSubnet(own, taken)
  return `${addressAt(cidr, 1)}/${cidr.prefix}`
}

function subnetOf(address: string): SubnetInfo {
  const cidr = parseCidr(address)
  const gateway = addressAt(cidr, offsetOf(cidr, address.split('/')[0] ?? ''))
  return { subnet: formatCidr(cidr), gateway }
}
