import { problemAt } from '../../document/errors.ts'
import { type Node, type Place, type Scalar, mapping, scalar } from '../../document/node.ts'
import { scalarText } from '../scalars.ts'

interface Port {
  readonly hostIp: string
  readonly target: number
  /** A port, or `FIRST-LAST` of which the engine takes one. */
  readonly published: string
  readonly protocol: string
}

/** `[IP:][HOST[-HOST]:]CONTAINER[-CONTAINER][/PROTOCOL]` as the ports that it stands for. */
export function expandPort(item: Scalar): readonly Node[] {
  const ports = parsePorts(scalarText(item.value))
  if (typeof ports === 'string') throw problemAt(item.place, ports)
  return ports.map((port) => portNode(port, item.place))
}

function portNode({ hostIp, target, published, protocol }: Port, place: Place): Node {
  const entries: [string, Node][] = [['mode', scalar('ingress', place)]]
  if (hostIp !== '') entries.push(['host_ip', scalar(hostIp, place)])
  entries.push(['target', scalar(target, place)])
  if (published !== '') entries.push(['published', scalar(published, place)])
  entries.push(['protocol', scalar(protocol, place)])
  return mapping(entries, place)
}

/** The ports, or what is wrong. Sorted by target and protocol as text, which is Compose's order. */
function parsePorts(text: string): readonly Port[] | string {
  const match = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(?:([^:/]*):)?([^:/]+)(?:\/(.*))?$/.exec(text)
  if (match === null) return `invalid port ${JSON.stringify(text)}: want [IP:][HOST:]CONTAINER[/PROTOCOL]`
  const [, bracketed, first, second, container = '', protocol = 'tcp'] = match
  const hasHost = second !== undefined
  const hostIp = bracketed ?? (hasHost ? (first ?? '') : '')
  const host = hasHost ? second : bracketed === undefined ? (first ?? '') : ''
  const targets = parseRange(container)
  const published = host === '' ? undefined : parseRange(host)
  if (targets === undefined) return `invalid containerPort: ${container}`
  if (host !== '' && published === undefined) return `invalid hostPort: ${host}`
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) return `invalid proto: ${protocol}`
  const ports = pair(targets, published)
  if (ports === undefined)
    return `invalid ranges specified for container and host Ports: ${container} and ${host}`
  return ports
    .map((each) => ({ ...each, hostIp, protocol: protocol.toLowerCase() }))
    .toSorted((a, b) => (`${a.target}/${a.protocol}` < `${b.target}/${b.protocol}` ? -1 : 1))
}

type Range = readonly [number, number]

function parseRange(text: string): Range | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text)
  if (match === null) return undefined
  const first = Number(match[1])
  const last = match[2] === undefined ? first : Number(match[2])
  return first > last || last > 65_535 ? undefined : [first, last]
}

function pair(
  targets: Range,
  published: Range | undefined,
): { target: number; published: string }[] | undefined {
  const count = targets[1] - targets[0]
  if (published === undefined) {
    return Array.from({ length: count + 1 }, (_, i) => ({ target: targets[0] + i, published: '' }))
  }
  if (count === 0 && published[1] > published[0]) {
    return [{ target: targets[0], published: `${published[0]}-${published[1]}` }]
  }
  if (published[1] - published[0] !== count) return undefined
  return Array.from({ length: count + 1 }, (_, i) => ({
    target: targets[0] + i,
    published: String(published[0] + i),
  }))
}
