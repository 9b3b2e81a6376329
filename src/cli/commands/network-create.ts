import { command } from '../command.ts'
import { ipamConfig } from '../create/ipam.ts'
import { keyValues } from '../create/key-values.ts'
import { bool, list, map, string } from '../flags.ts'

export default command({
  usage: '[OPTIONS] NETWORK',
  summary: 'Create a network',
  min: 1,
  max: 1,
  flags: {
    attachable: bool('Let containers that were made by hand join it'),
    'aux-address': map("Addresses in the subnet that are somebody else's (name=address)"),
    'config-from': string('Network whose configuration is taken', { completes: 'networks' }),
    'config-only': bool('Keep a configuration for other networks only'),
    driver: string('Driver of the network', { short: 'd', initial: 'bridge' }),
    gateway: list('Address of the network itself in its subnet', { type: 'ipSlice' }),
    ingress: bool('For services of a swarm'),
    internal: bool('No way in or out but for its containers'),
    'ip-range': list('Part of the subnet that addresses are chosen from (CIDR)', { type: 'ipNetSlice' }),
    'ipam-driver': string('Who chooses addresses', { initial: 'default' }),
    'ipam-opt': map('Option for whoever chooses addresses (key=value)'),
    ipv4: bool('IPv4 addresses', { initial: true }),
    ipv6: bool('IPv6 addresses'),
    label: list('Label (key[=value])'),
    opt: map('Option for the driver (key=value)', { short: 'o' }),
    scope: string('How far the network reaches'),
    subnet: list('Subnet (CIDR)', { type: 'ipNetSlice' }),
  },
  async run({ args: [name = ''], flags, changed }, { client, out, err }) {
    const { Id, Warning } = await client.networks.create({
      Name: name,
      Driver: flags.driver,
      Scope: flags.scope,
      Internal: flags.internal,
      Attachable: flags.attachable,
      Ingress: flags.ingress,
      ConfigOnly: flags['config-only'],
      ...(flags['config-from'] === '' ? {} : { ConfigFrom: { Network: flags['config-from'] } }),
      ...(changed.has('ipv4') ? { EnableIPv4: flags.ipv4 } : {}),
      ...(changed.has('ipv6') ? { EnableIPv6: flags.ipv6 } : {}),
      IPAM: { Driver: flags['ipam-driver'], Options: flags['ipam-opt'], Config: ipamConfig(flags) },
      Options: flags.opt,
      Labels: keyValues(flags.label),
    })
    if (Warning) err(`WARNING: ${Warning}\n`)
    out(`${Id}\n`)
  },
})
