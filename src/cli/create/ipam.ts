import { BlockList, isIP } from 'node:net'
import type { IPAMConfig } from '#api/generated/types.ts'
import { commandError } from '../errors.ts'
import { cut } from '../flags.ts'

export interface IpamFlags {
  readonly subnet: readonly string[]
  readonly 'ip-range': readonly string[]
  readonly gateway: readonly string[]
  readonly 'aux-address': Readonly<Record<string, string>>
}

/** Ranges, gateways and other addresses belong to the subnet that contains them; with Docker's complaints. */
export function ipamConfig(flags: IpamFlags): IPAMConfig[] {
  const configs = flags.subnet.map((subnet): IPAMConfig & { Subnet: string } => ({ Subnet: subnet }))
  const owner = (text: string, complaint: string): IPAMConfig => {
    const found = configs.find(({ Subnet }) => holds(Subnet, text))
    if (found === undefined) throw commandError(complaint)
    return found
  }
  for (const range of flags['ip-range']) {
    const config = owner(range, `no matching subnet for range ${range}`)
    if (config.IPRange)
      throw commandError(
        `cannot configure multiple ranges (${range}, ${config.IPRange}) on the same subnet (${config.Subnet})`,
      )
    config.IPRange = range
  }
  for (const gateway of flags.gateway) {
    const config = owner(gateway, `no matching subnet for gateway ${gateway}`)
    if (config.Gateway)
      throw commandError(
        `cannot configure multiple gateways (${gateway}, ${config.Gateway}) for the same subnet (${config.Subnet})`,
      )
    config.Gateway = gateway
  }
  for (const [name, address] of Object.entries(flags['aux-address'])) {
    const config = owner(address, `no matching subnet for aux-address ${address}`)
    config.AuxiliaryAddresses = { ...config.AuxiliaryAddresses, [name]: address }
  }
  return configs
}

/** Whether the subnet contains the address, or the first address of a range. */
function holds(subnet: string, text: string): boolean {
  const [base, prefix] = cut(subnet, '/')
  const [address] = cut(text, '/')
  const family = isIP(base) === 6 ? 'ipv6' : 'ipv4'
  if (isIP(base) === 0 || isIP(address) !== isIP(base) || !/^\d{1,3}$/.test(prefix ?? '')) return false
  const list = new BlockList()
  try {
    list.addSubnet(base, Number(prefix), family)
  } catch {
    return false // a prefix that is too long; the engine says so
  }
  return list.check(address, family)
}
