import { EngineError } from '#base/errors.ts'
import { addressAt, encloses, formatCidr, offsetOf, parseCidr } from './address.ts'
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
  /** Where IPv4 addresses of containers come from; undefined: the whole subnet. */
  readonly range: string | undefined
}

/** Subnets of the default bridge. Containers of a former daemon live in the one that it has already: that is kept. */
export async function defaultSubnets(deps: LinkDeps, request: DefaultSubnetsRequest): Promise<SubnetInfo[]> {
  const { link, address6, pools } = request
  const address =
    request.address ?? (await presentAddress(deps, link)) ?? (await freeAddress(deps, link, pools))
  const ipv4 = { ...subnetOf(address), ...rangeOf(address, request.range) }
  return [ipv4, ...(address6 === undefined ? [] : [subnetOf(address6)])]
}

function rangeOf(address: string, range: string | undefined): Pick<SubnetInfo, 'range'> {
  if (range === undefined) return {}
  if (encloses(parseCidr(address), parseCidr(range))) return { range }
  throw new EngineError(
    'invalid_argument',
    `fixed-cidr ${range} is not within the subnet of the default network, whose bridge has ${address}`,
    { code: 'CONFIG_INVALID' },
  )
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
