/** The way from another container: through a network of both. */
import type { Hop } from '#api/network-reports.ts'
import type { Endpoint } from '#network/networks.ts'
import { runOf } from '../../containers/state.ts'
import { dnsNames, isUserDefined } from '../names-of.ts'
import { foreignHop } from './firewall-hops.ts'
import { broken, ok } from './hop.ts'
import { owner, stateHop } from './process-hops.ts'
import { routeHop } from './route-hop.ts'
import type { Asker, Scene, UnreachableDeps } from './scene.ts'

export async function insideHops(
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
