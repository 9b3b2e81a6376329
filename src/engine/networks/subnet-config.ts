import type { IPAM, IPAMConfig } from '#api/generated/types.ts'
import {
  type Cidr,
  canonicalAddress,
  contains,
  encloses,
  formatCidr,
  parseCidr,
  sizeOf,
} from '#network/address.ts'
import type { SubnetInfo, SubnetRequest } from '#network/networks.ts'
import { invalidNetwork } from './errors.ts'

/** Checks what was said about addresses, all of it before the first complaint; with Docker's texts. */
export function subnetRequests(ipam: IPAM | null | undefined, families: Families): SubnetRequest[] {
  const driver = ipam?.Driver ?? ''
  if (driver !== '' && driver !== 'default') {
    throw invalidNetwork(`could not find ipam driver "${driver}": the only one is "default"`)
  }
  const problems: string[] = []
  const requests = (ipam?.Config ?? []).map((config) => subnetRequest(config, problems))
  if (problems.length > 0) throw invalidNetwork(`invalid network config:\n${problems.join('\n')}`)
  if (requests.some(lacksGateway)) {
    throw invalidNetwork('failed to allocate gateway (): no available addresses on this pool')
  }
  return requests.filter(({ subnet }) => subnet === undefined || families[parseCidr(subnet).family])
}

export interface Families {
  readonly 4: boolean
  readonly 6: boolean
}

/** The document of a network's addresses: what was given, with what was chosen. */
export function ipamConfig(subnets: readonly SubnetInfo[]): IPAMConfig[] {
  return subnets.map(({ subnet, gateway, range, auxiliary }) => ({
    Subnet: subnet,
    ...(range === undefined ? {} : { IPRange: range }),
    ...(gateway === '' ? {} : { Gateway: gateway }),
    ...(auxiliary === undefined ? {} : { AuxiliaryAddresses: { ...auxiliary } }),
  }))
}

function subnetRequest(config: IPAMConfig, problems: string[]): SubnetRequest {
  const { Subnet: subnet, IPRange: range, Gateway: gateway, AuxiliaryAddresses: auxiliary } = config
  // Addresses of a subnet that is to be chosen mean nothing.
  const parent = subnet || range ? block(subnet ?? '', 'subnet', problems) : undefined
  const within = range ? block(range, 'ip-range', problems) : undefined
  if (within !== undefined && range) checkRange(range, within, parent, problems)
  const address = (what: string, text: string): string => checked(what, text, parent, problems)
  const others = Object.entries(auxiliary ?? {}).map(([name, text]) => [
    name,
    address(`auxiliary address ${name}`, text),
  ])
  return {
    ...(subnet ? { subnet } : {}),
    ...(range ? { range } : {}),
    ...(gateway ? { gateway: address(`gateway ${gateway}`, gateway) } : {}),
    ...(others.length === 0 ? {} : { auxiliary: Object.fromEntries(others) as Record<string, string> }),
  }
}

/** A subnet of one address has none to choose for a gateway. */
function lacksGateway({ subnet, gateway }: SubnetRequest): boolean {
  return subnet !== undefined && gateway === undefined && sizeOf(parseCidr(subnet)) === 1n
}

/** `192.0.2.0/24` without bits below its prefix. */
function block(text: string, what: string, problems: string[]): Cidr | undefined {
  const cidr = text.includes('/') ? attempt(() => parseCidr(text)) : undefined
  if (cidr === undefined) {
    problems.push(`invalid ${what} ${text}: invalid CIDR block notation`)
    return undefined
  }
  const address = attempt(() => canonicalAddress(text.split('/')[0] ?? ''))
  const plain = formatCidr(cidr)
  if (`${address}/${cidr.prefix}` === plain) return cidr
  problems.push(`invalid ${what} ${text}: it should be ${plain}`)
  return undefined
}

function checkRange(text: string, range: Cidr, parent: Cidr | undefined, problems: string[]): void {
  if (parent === undefined) return
  if (parent.family !== range.family) {
    problems.push(`invalid ip-range ${text}: parent subnet is an IPv${parent.family} block`)
  } else if (range.prefix < parent.prefix) {
    problems.push(
      `invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${formatCidr(parent)}`,
    )
  } else if (!encloses(parent, range)) {
    problems.push(`invalid ip-range ${text}: parent subnet ${formatCidr(parent)} doesn't contain ip-range`)
  }
}

function checked(what: string, text: string, parent: Cidr | undefined, problems: string[]): string {
  const address = attempt(() => canonicalAddress(text))
  if (address === undefined) problems.push(`invalid ${what}: invalid address`)
  else if (parent === undefined) problems.push(`invalid ${what}: a subnet is needed with it`)
  else if (!contains(parent, address)) {
    problems.push(`invalid ${what}: parent subnet ${formatCidr(parent)} doesn't contain this address`)
  }
  return address ?? text
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined // said by whoever asked
  }
}
