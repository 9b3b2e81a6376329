import { isIP } from 'node:net'
import type { PortMap } from '#api/generated/types.ts'
import { valueError } from '../errors.ts'
import { cut } from '../flags.ts'

export interface PublishedPorts {
  readonly exposed: Record<string, object>
  readonly bindings: PortMap
}

interface PortRange {
  readonly first: number
  readonly last: number
}

const protocols = ['tcp', 'udp', 'sctp']

/**
 * `-p` values: `[[ip:][hostPort[-hostPort]]:]containerPort[-containerPort][/protocol]`, IPv6 in brackets. Ranges must be
 * of the same length, unless there is a single container port: then the daemon picks a host port out of the range.
 */
export function parsePublish(specs: readonly string[]): PublishedPorts {
  const exposed: Record<string, object> = {}
  const bindings: PortMap = {}
  for (const spec of specs) {
    for (const { port, hostIp, hostPort } of parseOne(shortForm(spec))) {
      exposed[port] = {}
      bindings[port] = [...(bindings[port] ?? []), { HostIp: hostIp, HostPort: hostPort }]
    }
  }
  return { exposed, bindings }
}

/** `--publish-rm` values: as `-p`; a container port alone stands for all that it is published at. */
export function parseUnpublish(specs: readonly string[]): PortMap {
  return Object.fromEntries(
    Object.entries(parsePublish(specs).bindings).map(([port, bindings]) => {
      const all = bindings?.some(({ HostIp, HostPort }) => !HostIp && !HostPort) === true
      return [port, all ? [] : bindings]
    }),
  )
}

/** `--expose` values: a port or a range, with an optional protocol; the ports in the form of the API (`80/tcp`). */
export function parseExpose(specs: readonly string[]): string[] {
  return specs.flatMap((spec) => {
    if (spec.includes(':')) throw valueError(`invalid port format for --expose: ${spec}`)
    const [ports, protocol = 'tcp'] = cut(spec, '/')
    if (ports === '' && protocol !== '') throw valueError(`invalid range format for --expose: ${spec}`)
    const { first, last } = range(ports, () => `invalid range format for --expose: ${spec}`)
    return numbers({ first, last }).map((port) => `${port}/${protocol}`)
  })
}

/** `published=8080,target=80,protocol=tcp`, which is the form of services, as `8080:80/tcp`. */
function shortForm(spec: string): string {
  if (!spec.includes('=')) return spec
  const values: Record<string, string> = {}
  for (const pair of spec.split(',')) {
    const [key, value] = cut(pair, '=')
    if (key === '' || value === undefined) {
      throw valueError(`invalid publish opts format (should be name=value but got '${pair}')`)
    }
    values[key] = value
  }
  const { published = '', target = '', protocol = '' } = values
  return `${published}:${target}${protocol === '' ? '' : `/${protocol}`}`
}

function parseOne(spec: string): { port: string; hostIp: string; hostPort: string }[] {
  const [rest, protocol = 'tcp'] = cut(spec, '/')
  if (!protocols.includes(protocol.toLowerCase())) throw valueError(`invalid proto: ${protocol}`)
  const { ip, host, container } = split(rest)
  if (container === '') throw valueError(`no port specified: ${spec}<empty>`)
  if (ip !== '' && isIP(ip) === 0) throw valueError(`invalid IP address: ${ip}`)

  const inside = range(container, () => `invalid containerPort: ${container}`)
  const outside = host === '' ? undefined : range(host, () => `invalid hostPort: ${host}`)
  const sameLength = outside === undefined || outside.last - outside.first === inside.last - inside.first
  if (!sameLength && inside.first !== inside.last) {
    throw valueError(`invalid ranges specified for container and host Ports: ${container} and ${host}`)
  }
  return numbers(inside).map((port, i) => ({
    port: `${port}/${protocol.toLowerCase()}`,
    hostIp: ip,
    hostPort:
      outside === undefined
        ? ''
        : sameLength
          ? String(outside.first + i)
          : `${outside.first}-${outside.last}`,
  }))
}

/** Splits from the right, so that an IPv6 address may hold colons. */
function split(text: string): { ip: string; host: string; container: string } {
  const parts = text.split(':')
  const container = parts.pop() ?? ''
  const host = parts.pop() ?? ''
  const address = parts.join(':')
  return { ip: address.replace(/^\[(.*)\]$/, '$1'), host, container }
}

function range(text: string, message: () => string): PortRange {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? match?.[1])
  if (match === null || last > 65535 || last < first) throw valueError(message())
  return { first, last }
}

function numbers({ first, last }: PortRange): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
