import type { ExposedPort, Exposure } from '#api/network-reports.ts'
import type { FirewallReport, PortReport } from '#network/firewall-report.ts'
import { chainText, droppingChains, judge } from '#network/foreign-rules.ts'
import type { Endpoint, NetworkInfo, Networks } from '#network/networks.ts'
import type { ListeningSocket } from '#os/proc/sockets.ts'
import type { Container } from '../containers/container.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import { type Run, runOf } from '../containers/state.ts'
import { isLinkLocal, isLoopback, isWildcard, listensAt, targetText } from './listening.ts'
import { networkModeOf } from '../containers/network-mode.ts'

export interface ExposureDeps {
  readonly registry: Pick<ContainerRegistry, 'all'>
  readonly networks: Pick<Networks, 'firewall' | 'network'>
  /** Infos of all networks on the host. */
  readonly infos: () => readonly NetworkInfo[]
  readonly sockets: (pid: number) => Promise<readonly ListeningSocket[]>
  /** Inodes of the sockets that the processes of a container have open. */
  readonly socketsOf: (container: Container) => Promise<ReadonlySet<string>>
  /** Of all interfaces. */
  readonly hostAddresses: () => readonly string[]
}

interface Surroundings {
  readonly report: FirewallReport
  readonly addresses: readonly string[]
  readonly infos: readonly NetworkInfo[]
}

/** Every port of a container that somebody can reach, from where, and by which rule: from the kernel, not from memory. */
export async function exposure(deps: ExposureDeps): Promise<Exposure> {
  const report = await deps.networks.firewall()
  const infos = deps.infos()
  const bridges = new Set(infos.flatMap(({ subnets }) => subnets.map(({ gateway }) => gateway)))
  const addresses = deps
    .hostAddresses()
    .filter((address) => !isLoopback(address) && !isLinkLocal(address) && !bridges.has(address))
  const around = { report, addresses, infos }
  const ports: ExposedPort[] = []
  for (const container of deps.registry.all()) {
    const run = runOf(container.state)
    if (run !== undefined) ports.push(...(await portsOf(deps, around, container, run)))
  }
  return {
    Firewall: report.respect ? 'respect' : 'open',
    Table: report.table,
    HostAddresses: addresses,
    Ports: ports,
    Drift: report.drift,
    Foreign:
      report.foreign === undefined
        ? ['more rules than can be read']
        : droppingChains(report.foreign).map(chainText),
  }
}

async function portsOf(
  deps: ExposureDeps,
  around: Surroundings,
  container: Container,
  run: Run,
): Promise<ExposedPort[]> {
  const mode = networkModeOf(container)
  // Whoever shares a namespace is listed with the one that it belongs to.
  if (mode === 'none' || mode.startsWith('container:')) return []
  const sockets = await deps.sockets(run.pid)
  if (mode === 'host') {
    const own = await deps.socketsOf(container)
    return sockets.filter(({ inode }) => own.has(inode)).map((socket) => hostPort(around, container, socket))
  }
  const published = around.report.ports
    .filter(({ containerId }) => containerId === container.id)
    .map((port) => publishedPort(around, container, port, sockets))
  const inside = run.endpoints.flatMap((endpoint) => {
    const info = deps.networks.network(endpoint.networkId)
    return info === undefined ? [] : listeningPorts(container, endpoint, info, sockets)
  })
  return [...published, ...inside]
}

function hostPort(around: Surroundings, container: Container, socket: ListeningSocket): ExposedPort {
  const { protocol, address, port } = socket
  return {
    ...named(container),
    Protocol: protocol,
    Address: address,
    Port: port,
    From: fromHost(around, address),
    Through: ['host network'],
    Published: false,
    Listening: true,
    InForce: true,
    ...blocked(around, { hook: 'input', address, protocol, port, translated: false }),
  }
}

function publishedPort(
  around: Surroundings,
  container: Container,
  { port, address, rules, held }: PortReport,
  sockets: readonly ListeningSocket[],
): ExposedPort {
  const { protocol, hostIp, hostPort: number, containerPort } = port
  // Routed networks have no ports of the host.
  const direct = number === 0
  const outside = around.report.respect && !direct
  const packet = outside
    ? ({ hook: 'input', address: hostIp, protocol, port: number, translated: false } as const)
    : ({ hook: 'forward', address, protocol, port: containerPort, translated: !direct } as const)
  const through = rules.map(({ text }) => text)
  return {
    ...named(container),
    Protocol: protocol,
    Address: direct ? address : hostIp,
    Port: direct ? containerPort : number,
    ...(direct ? {} : { Target: targetText(address, containerPort) }),
    From: direct ? ['this host', 'neighbours with a route'] : fromHost(around, hostIp),
    Through: outside || through.length === 0 ? [...through, 'socket'] : through,
    Published: true,
    Listening: sockets.some((socket) => listensAt(socket, { protocol, port: containerPort, address })),
    InForce: rules.every(({ inForce }) => inForce) && (rules.length > 0 || held),
    ...(isLoopback(hostIp) ? {} : blocked(around, packet)),
  }
}

/** What listens at the container's own address, published or not. */
function listeningPorts(
  container: Container,
  endpoint: Endpoint,
  info: NetworkInfo,
  sockets: readonly ListeningSocket[],
): ExposedPort[] {
  const addresses = [endpoint.ipv4, endpoint.ipv6].filter((address) => address !== undefined)
  return addresses.flatMap((address) =>
    unique(sockets.filter((socket) => listensAt(socket, { ...socket, address }))).map(
      ({ protocol, port }) => ({
        ...named(container),
        Protocol: protocol,
        Address: address,
        Port: port,
        From: fromNetwork(info, address),
        Through: [info.icc ? 'icc' : 'host'],
        Published: false,
        Listening: true,
        InForce: true,
      }),
    ),
  )
}

function fromNetwork({ name, icc, link, shared, modes }: NetworkInfo, address: string): string[] {
  if (shared !== undefined) return [`network ${name}`, `hosts behind ${link}`]
  const mode = address.includes(':') ? modes?.v6 : modes?.v4
  return [
    'this host',
    ...(icc ? [`network ${name}`] : []),
    ...(mode === 'nat-unprotected' ? ['neighbours with a route'] : []),
  ]
}

/** Who gets to a port at an address of the host. */
function fromHost({ addresses, infos }: Surroundings, address: string): string[] {
  if (isLoopback(address)) return ['this host']
  const same = addresses.filter((one) => one.includes(':') === address.includes(':'))
  const reached = isWildcard(address) ? same : same.filter((one) => one === address)
  const inside = infos.filter(
    ({ internal, shared, subnets }) =>
      !internal &&
      shared === undefined &&
      subnets.some(({ subnet }) => subnet.includes(':') === address.includes(':')),
  )
  return [
    'this host',
    ...reached.map((one) => `neighbours at ${one}`),
    ...inside.map(({ name }) => `network ${name}`),
  ]
}

function blocked({ report }: Surroundings, packet: Parameters<typeof judge>[1]): { Blocked?: string } {
  if (report.foreign === undefined) return {}
  const { dropped } = judge(report.foreign, packet)
  return dropped === undefined ? {} : { Blocked: dropped }
}

function named({ id, name }: Container): Pick<ExposedPort, 'Container' | 'Name'> {
  return { Container: id, Name: name }
}

function unique(sockets: readonly ListeningSocket[]): ListeningSocket[] {
  return [...new Map(sockets.map((socket) => [`${socket.protocol} ${socket.port}`, socket])).values()]
}
