/** The way from outside: through what is published. */
import type { Hop } from '#api/network-reports.ts'
import type { PortReport } from '#network/firewall-report.ts'
import { isLoopback, isWildcard, targetText } from '../listening.ts'
import { foreignHop, outsideFirewall, rulesHop } from './firewall-hops.ts'
import { broken, ok } from './hop.ts'
import { routeHop } from './route-hop.ts'
import type { Scene, UnreachableDeps } from './scene.ts'

/** The container has the stack of the host: only rules for input are in between. */
export function hostHops({ question, report }: Scene): Hop[] {
  const { port, protocol } = question
  const packet = { hook: 'input', address: '0.0.0.0', protocol, port, translated: false } as const
  return [
    ok('publish', 'it has the network of the host: there is nothing to publish'),
    foreignHop(report, packet),
  ]
}

export async function outsideHops(deps: UnreachableDeps, scene: Scene): Promise<Hop[]> {
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
