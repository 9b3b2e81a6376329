import type { Hop } from '#api/network-reports.ts'
import type { PathReport } from '#network/endpoint-path.ts'
import type { Endpoint } from '#network/networks.ts'
import type { Container } from '../../containers/container.ts'
import { broken, ok } from './hop.ts'
import type { Scene, UnreachableDeps } from './scene.ts'

/** `forwarded`: it comes from another link of the host. */
export async function routeHop(
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
