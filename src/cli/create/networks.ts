import type { EndpointSettings } from '#api/generated/types.ts'
import { valueError } from '../errors.ts'
import { cut } from '../flags.ts'
import { csvFields } from './csv.ts'

/** One `--network`: where to connect, and how. */
export interface Attachment {
  readonly target: string
  readonly aliases: readonly string[]
  readonly links: readonly string[]
  readonly driverOptions: Readonly<Record<string, string>>
  readonly ipv4: string
  readonly ipv6: string
  readonly linkLocal: readonly string[]
  readonly mac: string
  readonly gatewayPriority: number
}

/** `NAME`, or CSV such as `name=app,alias=web,ip=10.0.0.2`. */
export function parseNetwork(text: string): Attachment {
  const attachment = { ...none, target: text }
  if (!/^[\w-]+=/.test(text)) return attachment
  const found = {
    ...none,
    aliases: [] as string[],
    linkLocal: [] as string[],
    driverOptions: {} as Record<string, string>,
  }
  for (const field of csvFields(text)) {
    const [key, value = ''] = cut(field, '=').map((part) => part?.trim())
    switch (key?.toLowerCase()) {
      case 'name':
        found.target = value
        break
      case 'alias':
        found.aliases.push(value)
        break
      case 'ip':
        found.ipv4 = value
        break
      case 'ip6':
        found.ipv6 = value
        break
      case 'mac-address':
        found.mac = value
        break
      case 'link-local-ip':
        found.linkLocal.push(value)
        break
      case 'gw-priority':
        if (!/^-?\d+$/.test(value)) throw valueError(`invalid gw-priority: ${value}`)
        found.gatewayPriority = Number(value)
        break
      case 'driver-opt': {
        const [option, setting] = cut(value, '=')
        if (setting === undefined)
          throw valueError(`invalid key value pair format in driver options: ${value}`)
        found.driverOptions[option.trim().toLowerCase()] = setting.trim()
        break
      }
      default:
        throw valueError(`invalid field key ${key ?? ''}`)
    }
  }
  if (found.target === '') throw valueError('network name is required: add name=NETWORK')
  return found
}

const none: Attachment & {
  target: string
  ipv4: string
  ipv6: string
  mac: string
  gatewayPriority: number
} = {
  target: '',
  aliases: [],
  links: [],
  driverOptions: {},
  ipv4: '',
  ipv6: '',
  linkLocal: [],
  mac: '',
  gatewayPriority: 0,
}

/** Networks that say whose stack is used; options of an endpoint and further networks do not go with them. */
export function isUserDefined(name: string): boolean {
  return !['', 'default', 'bridge', 'host', 'none'].includes(name) && !name.startsWith('container:')
}

/** The endpoint settings of an attachment, as the API wants them. */
export function endpointSettings(attachment: Attachment): EndpointSettings {
  const { aliases, links, driverOptions, ipv4, ipv6, linkLocal, mac, gatewayPriority } = attachment
  const addresses = {
    ...(ipv4 === '' ? {} : { IPv4Address: ipv4 }),
    ...(ipv6 === '' ? {} : { IPv6Address: ipv6 }),
    ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: [...linkLocal] }),
  }
  return {
    ...(Object.keys(addresses).length === 0 ? {} : { IPAMConfig: addresses }),
    ...(links.length === 0 ? {} : { Links: [...links] }),
    ...(aliases.length === 0 ? {} : { Aliases: [...aliases] }),
    ...(Object.keys(driverOptions).length === 0 ? {} : { DriverOpts: { ...driverOptions } }),
    ...(mac === '' ? {} : { MacAddress: mac }),
    ...(gatewayPriority === 0 ? {} : { GwPriority: gatewayPriority }),
  }
}
