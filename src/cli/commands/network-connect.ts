import { command } from '../command.ts'
import { endpointSettings, parseNetwork } from '../create/networks.ts'
import { integer, list, map, string } from '../flags.ts'

export default command({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Connect a container to a network, also while it runs',
  min: 2,
  max: 2,
  completes: 'networks',
  flags: {
    alias: list('Another name of the container on this network'),
    'driver-opt': map('Option for the driver (key=value)'),
    'gw-priority': integer('The highest of a container decides where its default route leads'),
    ip: string('IPv4 address', { type: 'ip' }),
    ip6: string('IPv6 address', { type: 'ip' }),
    link: list('Another name for a container, for this one alone (CONTAINER[:ALIAS])'),
    'link-local-ip': list('Link-local address'),
  },
  async run({ args: [network = '', container = ''], flags }, { client }) {
    const settings = endpointSettings({
      ...parseNetwork(''),
      target: network,
      aliases: flags.alias,
      links: flags.link,
      driverOptions: flags['driver-opt'],
      ipv4: flags.ip,
      ipv6: flags.ip6,
      linkLocal: flags['link-local-ip'],
      gatewayPriority: flags['gw-priority'] ?? 0,
    })
    await client.networks.connect(network, { Container: container, EndpointConfig: settings })
  },
})
