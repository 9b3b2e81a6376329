import type { PortSummary } from '#api/generated/types.ts'

interface Range {
  readonly key: string
  readonly ip: string
  readonly type: string
  readonly first: number
  last: number
}

/**
 * The PORTS column: runs of neighbouring ports that are published under their own number, or only exposed, become a
 * range; mappings to another number stand alone, at the end.
 */
export function showPorts(ports: readonly PortSummary[]): string {
  const open = new Map<string, Range>()
  const closed: Range[] = []
  const mappings: string[] = []

  for (const port of ports.toSorted(comparePorts)) {
    const { PrivatePort: own, PublicPort: published, IP, Type } = normal(port)
    if (IP !== '' && published !== own) {
      mappings.push(`${hostPort(IP, String(published))}->${own}/${Type}`)
      continue
    }
    const key = `${IP}/${Type}`
    const range = open.get(key)
    if (range?.last === own - 1) {
      range.last = own
      continue
    }
    if (range !== undefined) closed.push(range)
    // Setting a key again does not move it: the order of first appearance stays.
    open.set(key, { key, ip: IP, type: Type, first: own, last: own })
  }
  return [...[...closed, ...open.values()].map(showRange), ...mappings].join(', ')
}

/** `0.0.0.0:80`, `[::]:80`. */
export function hostPort(ip: string, port: string): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

function showRange({ ip, type, first, last }: Range): string {
  const ports = first === last ? String(first) : `${first}-${last}`
  return ip === '' ? `${ports}/${type}` : `${hostPort(ip, ports)}->${ports}/${type}`
}

function comparePorts(left: PortSummary, right: PortSummary): number {
  const a = normal(left)
  const b = normal(right)
  return (
    a.PrivatePort - b.PrivatePort || order(a.IP, b.IP) || a.PublicPort - b.PublicPort || order(a.Type, b.Type)
  )
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function normal(port: PortSummary): { PrivatePort: number; PublicPort: number; IP: string; Type: string } {
  return {
    PrivatePort: port.PrivatePort ?? 0,
    PublicPort: port.PublicPort ?? 0,
    IP: port.IP ?? '',
    Type: port.Type ?? 'tcp',
  }
}
