import type { Diagnosis, Hop } from '#api/network-reports.ts'
import type { PathReport } from '#network/endpoint-path.ts'
import type { FirewallReport, PortReport } from '#network/firewall-report.ts'
import { type NewPacket, judge } from '#network/foreign-rules.ts'
import type { Endpoint, Networks, Protocol } from '#network/networks.ts'
import type { ListeningSocket } from '#os/proc/sockets.ts'
import type { Container } from '../containers/container.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import { type Run, runOf } from '../containers/state.ts'
import { isLoopback, isWildcard, listensAt, targetText } from './listening.ts'
import { dnsNames, isUserDefined } from './names-of.ts'

export interface UnreachableDeps {
  readonly registry: Pick<ContainerRegistry, 'resolve'>
  readonly networks: Pick<Networks, 'firewall' | 'network' | 'path'>
  readonly sockets: (pid: number) => Promise<readonly ListeningSocket[]>
  /** The `resolv.conf` of a running container. */
  readonly resolvConf: (container: Container) => Promise<string>
  /** Whether what goes through a bridge passes rules for forwarding. */
  readonly bridgesAreFiltered: () => Promise<boolean>
}

export interface UnreachableQuestion {
  /** Of the container. */
  readonly port: number
  readonly protocol: Protocol
  /** Another container, which asks by this name. */
  readonly from?: { readonly container: string; readonly name: string } | undefined
}

interface Scene {
  readonly container: Container
  readonly run: Run
  readonly question: UnreachableQuestion
  readonly report: FirewallReport
}

interface Asker {
  readonly container: Container
  readonly run: Run
  readonly name: string
  /** Endpoint of the container that is asked, on a network of both. */
  readonly shared: Endpoint | undefined
}

/**
 * Why a port of a container is not reached: follows the way from the process outwards, hop by hop, and names the first
 * that is broken. Everything is read from the kernel at that moment; nothing is changed, and nothing is sent.
 */
export async function whyUnreachable(
  deps: UnreachableDeps,
  ref: string,
  question: UnreachableQuestion,
): Promise<Diagnosis> {
  const container = owner(deps, deps.registry.resolve(ref))
  const state = stateHop(container)
  const run = runOf(container.state)
  if (run === undefined || state.State === 'broken') return diagnosis([state])
  const scene = { container, run, question, report: await deps.networks.firewall() }
  const hops = [state, listenerHop(scene, await deps.sockets(run.pid))]
  if (container.hostConfig.NetworkMode === 'host') return diagnosis([...hops, ...hostHops(scene)])
  if (question.from === undefined) return diagnosis([...hops, ...(await outsideHops(deps, scene))])
  return diagnosis([...hops, ...(await insideHops(deps, scene, question.from))])
}

function diagnosis(hops: readonly Hop[]): Diagnosis {
  const broken = hops.find(({ State }) => State === 'broken')
  return { Hops: hops, ...(broken === undefined ? {} : { Broken: broken }) }
}

/** A namespace that is shared belongs to one container. */
function owner({ registry }: UnreachableDeps, container: Container): Container {
  const mode = container.hostConfig.NetworkMode ?? ''
  if (!mode.startsWith('container:') || runOf(container.state) === undefined) return container
  return registry.resolve(mode.slice('container:'.length))
}

function stateHop({ name, state, hostConfig }: Container): Hop {
  const { status } = state
  if (status === 'paused') {
    return broken('container', `${name} is paused`, `berth unpause ${name}`)
  }
  if (status !== 'running')
    return broken('container', `${name} is ${status}`, `berth start ${name}; berth logs ${name}`)
  if (hostConfig.NetworkMode === 'none') {
    return broken('container', `${name} has no network (none)`, 'create it with another --network')
  }
  return ok('container', `${name} is running`)
}

function listenerHop({ container, run, question }: Scene, sockets: readonly ListeningSocket[]): Hop {
  const { port, protocol } = question
  const text = `${port}/${protocol}`
  const own = sockets.filter((socket) => socket.port === port && socket.protocol === protocol)
  if (own.length === 0) {
    const others = [
      ...new Set(
        sockets.filter(({ address }) => !isLoopback(address)).map((one) => `${one.port}/${one.protocol}`),
      ),
    ]
    const instead = others.length === 0 ? 'nothing else does' : `these do: ${others.join(', ')}`
    return broken(
      'listener',
      `nothing in ${container.name} listens on ${text}; ${instead}`,
      `berth logs ${container.name}, and the configuration of the program`,
    )
  }
  if (own.every(({ address }) => isLoopback(address))) {
    const addresses = own.map(({ address }) => address).join(' and ')
    return broken(
      'listener',
      `${text} is listened on at ${addresses} only, which is the container itself`,
      `make the program listen on 0.0.0.0 (or ::)`,
    )
  }
  const host = container.hostConfig.NetworkMode === 'host'
  const addresses = run.endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter((one) => one !== undefined)
  if (
    !host &&
    !addresses.some((address) => own.some((socket) => listensAt(socket, { port, protocol, address })))
  ) {
    const at = own.map(({ address }) => address).join(', ')
    return broken(
      'listener',
      `${text} is listened on at ${at}, which ${container.name} has on no network`,
      'make the program listen on 0.0.0.0 (or ::)',
    )
  }
  return ok('listener', `${text} is listened on at ${own.map(({ address }) => address).join(', ')}`)
}

/** The container has the stack of the host: only rules for input are in between. */
function hostHops({ question, report }: Scene): Hop[] {
  const { port, protocol } = question
  const packet = { hook: 'input', address: '0.0.0.0', protocol, port, translated: false } as const
  return [
    ok('publish', 'it has the network of the host: there is nothing to publish'),
    foreignHop(report, packet),
  ]
}

async function outsideHops(deps: UnreachableDeps, scene: Scene): Promise<Hop[]> {
  const ports = publishedAs(scene)
  const publish = publishHop(deps, scene, ports)
  const [port] = ports
  if (port === undefined) return [publish]
  const endpoint = scene.run.endpoints.find(
    ({ ipv4, ipv6 }) => ipv4 === port.address || ipv6 === port.address,
  )
  const hops = [publish, rulesHop(scene, ports), outsideFirewall(deps, scene, port, endpoint)]
  if (endpoint !== undefined) hops.push(await routeHop(deps, scene, endpoint, true))
  return hops
}

function publishedAs({ container, question, report }: Scene): readonly PortReport[] {
  const { port, protocol } = question
  return report.ports.filter(
    (one) =>
      one.containerId === container.id && one.port.containerPort === port && one.port.protocol === protocol,
  )
}

function publishHop(
  { networks }: UnreachableDeps,
  { container, run, question }: Scene,
  ports: readonly PortReport[],
): Hop {
  const { name } = container
  const text = `${question.port}/${question.protocol}`
  if (ports.length === 0) {
    const open = run.endpoints.some(({ networkId }) => networks.network(networkId)?.internal === false)
    if (!open) {
      return broken(
        'publish',
        `${name} is on internal networks only: nothing of it can be published`,
        `berth network connect NETWORK ${name}`,
      )
    }
    const other = run.ports.find(({ hostPort }) => hostPort === question.port)
    const hint =
      other === undefined
        ? ''
        : ` (port ${question.port} of the host leads to ${other.containerPort}/${other.protocol})`
    return broken(
      'publish',
      `${text} of ${name} is not published${hint}`,
      `berth update --publish-add ${question.port}:${text} ${name}`,
    )
  }
  const places = ports.map(({ port }) =>
    port.hostPort === 0 ? 'its own address' : targetText(port.hostIp, port.hostPort),
  )
  const at = `${text} is published at ${[...new Set(places)].join(', ')}`
  if (ports.every(({ port }) => isLoopback(port.hostIp))) {
    const next = `if others are to reach it: berth update --publish-add 0.0.0.0:PORT:${text} ${name}`
    return { Hop: 'publish', State: 'doubt', Text: `${at}: only this host reaches it`, Next: next }
  }
  if (!ports.some(({ port }) => isWildcard(port.hostIp))) {
    return { Hop: 'publish', State: 'doubt', Text: `${at}, and at no other address of the host` }
  }
  return ok('publish', at)
}

/** Our own table. */
function rulesHop({ report }: Scene, ports: readonly PortReport[]): Hop {
  const wait =
    'the engine puts it back at once; if it stays so, see the log of the engine and `berth network exposure`'
  if (!report.present) return broken('firewall', `table inet ${report.table} is missing`, wait)
  const missing = ports.flatMap(({ rules }) => rules.filter(({ inForce }) => !inForce))
  if (missing.length > 0) {
    return broken('firewall', `the table lacks ${missing.map(({ text }) => text).join(', ')}`, wait)
  }
  const unheld = ports.find(
    ({ held, rules, port }) => !held && port.hostPort !== 0 && (rules.length === 0 || report.respect),
  )
  if (unheld !== undefined) {
    return broken(
      'firewall',
      `${targetText(unheld.port.hostIp, unheld.port.hostPort)} cannot be held: another program has taken it`,
      'end that program, or publish another port',
    )
  }
  return ok(
    'firewall',
    `table inet ${report.table} leads ${ports.map(({ rules }) => rules[0]?.text ?? 'a socket').join(', ')}`,
  )
}

/** Tables of others, for what comes from other hosts. */
function outsideFirewall(
  { networks }: UnreachableDeps,
  { report }: Scene,
  { port, address }: PortReport,
  endpoint: Endpoint | undefined,
): Hop {
  const { protocol, hostPort, containerPort } = port
  if (report.respect && hostPort !== 0) {
    return foreignHop(report, {
      hook: 'input',
      address: port.hostIp,
      protocol,
      port: hostPort,
      translated: false,
    })
  }
  const oifname = endpoint === undefined ? undefined : networks.network(endpoint.networkId)?.link
  const translated = hostPort !== 0
  return foreignHop(report, { hook: 'forward', oifname, address, protocol, port: containerPort, translated })
}

function foreignHop({ foreign }: FirewallReport, packet: NewPacket): Hop {
  const what = packet.hook === 'input' ? 'for the host' : 'to forward'
  if (foreign === undefined) {
    return { Hop: 'firewall', State: 'doubt', Text: 'there are more rules of others than can be read' }
  }
  const { dropped, doubts } = judge(foreign, packet)
  if (dropped !== undefined) {
    const next = `let port ${packet.port}/${packet.protocol} pass there: \`nft list ruleset\` (ufw, firewalld and iptables write such tables)`
    return broken('firewall', `chain ${dropped} drops what comes ${what}`, next)
  }
  if (doubts.length > 0) {
    const Text = `it depends on rules of others: chain ${doubts.join(', chain ')}`
    return { Hop: 'firewall', State: 'doubt', Text, Next: 'nft list ruleset' }
  }
  return ok('firewall', 'no table of others drops it')
}

/** `forwarded`: it comes from another link of the host. */
async function routeHop(
  deps: UnreachableDeps,
  { container, run }: Scene,
  endpoint: Endpoint,
  forwarded: boolean,
): Promise<Hop> {
  const path = await deps.networks.path(run.pid, endpoint)
  const info = deps.networks.network(endpoint.networkId)
  return pathHop(container, endpoint, path, {
    forwarded,
    link: info?.shared === undefined ? info?.link : undefined,
  })
}

interface Way {
  readonly forwarded: boolean
  /** The bridge; undefined where there is none. */
  readonly link: string | undefined
}

function pathHop({ name }: Container, endpoint: Endpoint, path: PathReport, { forwarded, link }: Way): Hop {
  const again = `berth network disconnect ${endpoint.network} ${name}; berth network connect ${endpoint.network} ${name}`
  const address = endpoint.ipv4 ?? endpoint.ipv6 ?? ''
  if (forwarded && !path.forwarding) {
    const key = endpoint.ipv4 === undefined ? 'net.ipv6.conf.all.forwarding' : 'net.ipv4.ip_forward'
    return broken(
      'route',
      `the host forwards nothing: ${key} is 0`,
      `sysctl -w ${key}=1; see who turns it off (/etc/sysctl.d)`,
    )
  }
  if (path.bridge !== 'up') {
    return broken(
      'route',
      `the bridge of ${endpoint.network} is ${path.bridge}`,
      'the engine puts it back at once; see its log',
    )
  }
  if (path.link !== 'up') {
    const how = path.link === 'astray' ? 'is not in the bridge' : `is ${path.link}`
    return broken('route', `link ${endpoint.veth} of ${name} ${how}`, again)
  }
  if (!path.inside) {
    return broken('route', `${endpoint.ifname} in ${name} is down, or has lost ${address}`, again)
  }
  if (forwarded && !path.wayBack) {
    return broken('route', `${name} has no default route: its answers go nowhere`, again)
  }
  if (path.route === undefined) return broken('route', `the host has no route to ${address}`, again)
  if (link !== undefined && path.route !== link) {
    const next = `remove that route (ip route get ${address}), or give ${endpoint.network} another subnet`
    return broken(
      'route',
      `the host sends to ${address} by ${path.route} instead of ${link}: another route covers it`,
      next,
    )
  }
  return ok('route', `the host reaches ${address} by ${path.route}`)
}

async function insideHops(
  deps: UnreachableDeps,
  scene: Scene,
  { container: ref, name }: { readonly container: string; readonly name: string },
): Promise<Hop[]> {
  const other = owner(deps, deps.registry.resolve(ref))
  const state = stateHop(other)
  const run = runOf(other.state)
  if (run === undefined || state.State === 'broken') return [state]
  const mine = new Set(run.endpoints.map(({ networkId }) => networkId))
  const shared = scene.run.endpoints.find(({ networkId }) => mine.has(networkId))
  const asker = { container: other, run, name, shared }
  const network = networkHop(deps, scene, asker)
  if (shared === undefined || network.State === 'broken') return [network]
  return [
    network,
    await bridgeFirewall(deps, scene, shared),
    await routeHop(deps, scene, shared, false),
    await dnsHop(deps, scene, asker),
  ]
}

function networkHop(
  { networks }: UnreachableDeps,
  { container, run }: Scene,
  { container: other, run: its, shared }: Asker,
): Hop {
  const list = (endpoints: readonly Endpoint[]): string =>
    endpoints.map(({ network }) => network).join(', ') || 'none'
  if (shared === undefined) {
    return broken(
      'network',
      `${container.name} is on ${list(run.endpoints)}, ${other.name} on ${list(its.endpoints)}: they share no network`,
      `berth network connect ${run.endpoints[0]?.network ?? 'NETWORK'} ${other.name}`,
    )
  }
  if (networks.network(shared.networkId)?.icc === false) {
    return broken(
      'network',
      `network ${shared.network} keeps its containers apart (com.docker.network.bridge.enable_icc=false)`,
      'connect both to another network',
    )
  }
  return ok('network', `both are on ${shared.network}`)
}

/** Within a bridge nobody forwards, unless bridges are made to pass the firewall. */
async function bridgeFirewall(
  deps: UnreachableDeps,
  { question, report }: Scene,
  shared: Endpoint,
): Promise<Hop> {
  if (!(await deps.bridgesAreFiltered()))
    return ok('firewall', 'containers of one network meet in its bridge, before any rules')
  return foreignHop(report, {
    hook: 'forward',
    oifname: deps.networks.network(shared.networkId)?.link,
    address: shared.ipv4 ?? shared.ipv6 ?? '',
    protocol: question.protocol,
    port: question.port,
    translated: false,
  })
}

async function dnsHop(deps: UnreachableDeps, { container }: Scene, asker: Asker): Promise<Hop> {
  const { container: other, run, name, shared } = asker
  const network = shared?.network ?? ''
  if (!isUserDefined(network)) {
    return broken(
      'dns',
      `on the default network containers do not know each other's names`,
      `berth network create app; berth network connect app ${container.name}; berth network connect app ${other.name}`,
    )
  }
  const settings = container.attachments.find((one) => one.network === network)?.settings ?? {}
  const names = dnsNames(container, settings)
  const asked = name.toLowerCase().replace(new RegExp(`\\.${network.toLowerCase()}$`), '')
  if (!names.some((one) => one.toLowerCase() === asked)) {
    return broken(
      'dns',
      `on ${network} it is called ${names.join(', ')}, not ${name}`,
      `berth network connect --alias ${name} ${network} ${container.name} (after a disconnect)`,
    )
  }
  if (!/^nameserver\s+127\.0\.0\.11\s*$/m.test(await deps.resolvConf(other))) {
    return broken(
      'dns',
      `${other.name} does not ask 127.0.0.11: its /etc/resolv.conf was changed`,
      `put "nameserver 127.0.0.11" back into it, or restart ${other.name}`,
    )
  }
  const answered = (await deps.sockets(run.pid)).some(({ address }) => address === '127.0.0.11')
  if (!answered) {
    return broken(
      'dns',
      `nobody answers at 127.0.0.11 in ${other.name}`,
      'restart the engine: it starts berth-dns again',
    )
  }
  return ok('dns', `${other.name} knows ${name}`)
}

function ok(hop: Hop['Hop'], Text: string): Hop {
  return { Hop: hop, State: 'ok', Text }
}

function broken(hop: Hop['Hop'], Text: string, Next: string): Hop {
  return { Hop: hop, State: 'broken', Text, Next }
}
