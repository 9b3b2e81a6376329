import { isIP } from 'node:net'
import type { ContainerConfig, HostConfig, PortBinding } from '#api/generated/types.ts'
import type { PortRequest, Protocol } from '#network/networks.ts'
import { invalidConfig } from './errors.ts'
import { networkModeOf } from '../network-mode.ts'

const HIGHEST_PORT = 65535

interface Port {
  readonly number: number
  readonly protocol: Protocol
}

interface Range {
  readonly first: number
  readonly last: number
}

/**
 * What a container's configuration asks to publish, in the order of the container's ports. Also the check of both
 * documents: fails with Docker's texts for what is no port, range, protocol or address. On the host's network and without
 * a network nothing is published.
 */
export function portRequests(config: ContainerConfig, hostConfig: HostConfig): PortRequest[] {
  const exposed = exposedPorts(config)
  const requests = Object.entries(hostConfig.PortBindings ?? {}).flatMap(([key, bindings]) =>
    requestsFor(boundPort(key), bindings ?? []),
  )
  if (!publishes(networkModeOf({ config, hostConfig }))) return []
  if (hostConfig.PublishAllPorts === true) {
    const bound = new Set(requests.map(portKey))
    const rest = exposed.filter((port) => !bound.has(portKey({ containerPort: port.number, ...port })))
    requests.push(...rest.flatMap((port) => requestsFor(port, [])))
  }
  return withoutRepetitions(requests).toSorted((a, b) => a.containerPort - b.containerPort)
}

/** `ExposedPorts` together with the ports that are bound, as inspect shows them: keys like `80/tcp`. */
export function exposedWithBound(
  config: ContainerConfig,
  hostConfig: HostConfig,
): Record<string, Record<string, never>> | undefined {
  const bound = Object.keys(hostConfig.PortBindings ?? {}).map(boundPort)
  const keys = [...exposedPorts(config), ...bound].map(({ number, protocol }) => `${number}/${protocol}`)
  return keys.length === 0 ? undefined : Object.fromEntries(keys.map((key) => [key, {}]))
}

/** Keys of ExposedPorts may be ranges (`8000-8002/tcp`). */
function exposedPorts(config: ContainerConfig): Port[] {
  return Object.keys(config.ExposedPorts ?? {}).flatMap((key) => {
    const { text, protocol } = splitProtocol(key)
    const range = parseRange(text)
    if (range === undefined || range.first === 0) throw invalidConfig(`invalid containerPort: ${text}`)
    const count = range.last - range.first + 1
    return Array.from({ length: count }, (_, i) => ({ number: range.first + i, protocol }))
  })
}

function boundPort(key: string): Port {
  const { text, protocol } = splitProtocol(key)
  const range = parseRange(text)
  if (range === undefined || range.first !== range.last || range.first === 0) {
    throw invalidConfig(`invalid port specification: ${JSON.stringify(text)}`)
  }
  return { number: range.first, protocol }
}

/** No binding at all still asks for one ephemeral port. */
function requestsFor({ number, protocol }: Port, bindings: readonly PortBinding[]): PortRequest[] {
  return (bindings.length > 0 ? bindings : [{}]).map(({ HostIp, HostPort }) => ({
    containerPort: number,
    protocol,
    hostIp: hostIp(HostIp ?? ''),
    hostPort: hostPort(HostPort ?? ''),
  }))
}

function hostIp(text: string): string {
  const address = text.replace(/^\[(.*)\]$/, '$1')
  if (address !== '' && isIP(address) === 0) throw invalidConfig(`invalid IP address: ${text}`)
  return address
}

function hostPort(text: string): PortRequest['hostPort'] {
  // Clients may repeat the protocol here.
  const number = text.split('/', 1)[0] ?? ''
  if (number === '') return undefined
  const range = parseRange(number)
  if (range === undefined) throw invalidConfig(`invalid port specification: ${JSON.stringify(text)}`)
  if (range.first !== range.last) return range
  return range.first === 0 ? undefined : range.first
}

function splitProtocol(key: string): { readonly text: string; readonly protocol: Protocol } {
  const [text = '', given = '', ...rest] = key.split('/')
  const protocol = given === '' ? 'tcp' : given.toLowerCase()
  if (rest.length === 0 && (protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp'))
    return { text, protocol }
  throw invalidConfig(`invalid proto: ${[given, ...rest].join('/')}`)
}

/** `80` or `8000-8010`. */
function parseRange(text: string): Range | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  if (!match) return undefined
  const first = Number(match[1])
  const last = Number(match[2] ?? match[1])
  return first <= last && last <= HIGHEST_PORT && (first > 0 || last === 0) ? { first, last } : undefined
}

function publishes(mode: string): boolean {
  return mode !== 'host' && mode !== 'none' && !mode.startsWith('container:')
}

function withoutRepetitions(requests: readonly PortRequest[]): PortRequest[] {
  const seen = new Map(
    requests.map((request) => {
      // Two ephemeral requests for one port are two ports; everything else said twice is one.
      const key = request.hostPort === undefined ? Symbol() : JSON.stringify(request)
      return [key, request]
    }),
  )
  return [...seen.values()]
}

function portKey({ containerPort, protocol }: { containerPort: number; protocol: Protocol }): string {
  return `${containerPort}/${protocol}`
}
