/** What a request for a new network says, checked; pure. */
import type { NetworkInfo, NetworkRequest } from '#network/networks.ts'
import { rfc3339Nano } from '../containers/config/status.ts'
import type { NetworkCreateBody } from '../services.ts'
import { bridgeOptions } from './driver-options.ts'
import {
  configNetwork,
  invalidNetwork,
  noSwarm,
  predefinedCreation,
  singleInstance,
  unknownDriver,
} from './errors.ts'
import { isUserDefined } from './names-of.ts'
import type { Network } from './network.ts'
import { sharedOptions } from './shared-options.ts'
import { subnetRequests } from './subnet-config.ts'

type MadeDriver = Exclude<Network['driver'], 'host' | 'null'>

/** Everything that can be refused without knowing other networks. */
export function checkCreate(name: string, body: NetworkCreateBody): void {
  if (name === '') throw invalidNetwork('invalid name: name is empty')
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw invalidNetwork(
      `invalid config for network ${name}: invalid name: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    )
  }
  if (name === 'container' || !isUserDefined(name)) throw predefinedCreation(name)
  checkReach(body)
  checkConfigOnly(body)
  driverOf(body)
}

/** Of a request that is complete. */
export function checkFamilies({ EnableIPv4, EnableIPv6 }: NetworkCreateBody): void {
  if (EnableIPv4 === false && EnableIPv6 !== true) throw invalidNetwork('IPv4 or IPv6 must be enabled')
}

/** What is planned for a network with an id of its own. */
export function networkRequest(id: string, name: string, body: NetworkCreateBody): NetworkRequest {
  const driver = driverOf(body)
  const families = { 4: body.EnableIPv4 !== false, 6: body.EnableIPv6 === true }
  const common = {
    id,
    name,
    ipv4: families[4],
    ipv6: families[6],
    subnets: subnetRequests(body.IPAM, families),
  }
  if (driver === 'bridge') {
    const { link, ...options } = bridgeOptions(body.Options ?? {}, body.Internal === true)
    return { ...common, link: link ?? `br-${id.slice(0, 12)}`, ...options, internal: body.Internal === true }
  }
  const { internal, ...shared } = sharedOptions(driver, body.Options ?? {}, id)
  return { ...common, ...shared, icc: true, masquerade: false, internal: internal || body.Internal === true }
}

/** The network as it is kept; without `info` it holds a configuration for others alone. */
export function networkOf(id: string, name: string, body: NetworkCreateBody, info?: NetworkInfo): Network {
  return {
    id,
    name,
    createdAt: rfc3339Nano(new Date()),
    state: 'ready',
    driver: info === undefined ? 'null' : driverOf(body),
    enableIPv4: body.EnableIPv4 !== false,
    enableIPv6: body.EnableIPv6 === true,
    internal: body.Internal === true,
    attachable: body.Attachable === true,
    labels: body.Labels ?? {},
    options: body.Options ?? {},
    ipam: {
      driver: body.IPAM?.Driver || 'default',
      options: body.IPAM?.Options ?? null,
      config: body.IPAM?.Config ?? null,
    },
    ...(body.ConfigOnly === true ? { configOnly: true } : {}),
    ...(body.ConfigFrom?.Network ? { configFrom: body.ConfigFrom.Network } : {}),
    info,
  }
}

/** A request that takes its configuration from another network, with that; `from` is undefined when it is none. */
export function configured(body: NetworkCreateBody, from: Network | undefined): NetworkCreateBody {
  const ref = body.ConfigFrom?.Network ?? ''
  if (from?.configOnly !== true)
    throw configNetwork('not_found', `configuration network "${ref}" does not exist`)
  const { enableIPv4, enableIPv6, labels, options, ipam } = from
  return {
    ...body,
    ConfigFrom: { Network: from.name },
    EnableIPv4: enableIPv4,
    EnableIPv6: enableIPv6,
    Labels: { ...labels },
    Options: { ...options },
    IPAM: {
      Driver: ipam.driver,
      Options: ipam.options === null ? null : { ...ipam.options },
      Config: ipam.config === null ? null : [...ipam.config],
    },
  }
}

function driverOf(body: NetworkCreateBody): MadeDriver {
  const driver = body.Driver || 'bridge'
  if (driver === 'host' || driver === 'null') throw singleInstance(driver)
  if (driver === 'bridge' || driver === 'macvlan' || driver === 'ipvlan') return driver
  if (driver === 'overlay') throw noSwarm()
  throw unknownDriver(driver)
}

/** How far the network reaches: ours end with the host. */
function checkReach({
  Scope: scope = '',
  Ingress: ingress,
  ConfigOnly: configOnly,
}: NetworkCreateBody): void {
  if (configOnly === true) return
  if (scope === 'swarm') throw noSwarm()
  if (scope !== '' && scope !== 'local') {
    throw invalidNetwork(`invalid scope ${JSON.stringify(scope)}: networks of this engine are local`)
  }
  if (ingress === true) {
    throw configNetwork('permission_denied', 'Ingress network can only be global scope network')
  }
}

function checkConfigOnly(body: NetworkCreateBody): void {
  const from = body.ConfigFrom?.Network ?? ''
  if (body.ConfigOnly === true) {
    if (body.Ingress === true || body.Internal === true || body.Attachable === true || body.Scope) {
      throw configNetwork(
        'permission_denied',
        'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
      )
    }
    if (from !== '') {
      throw configNetwork(
        'permission_denied',
        'a configuration network cannot depend on another configuration network',
      )
    }
  } else if (from !== '' && hasOwnConfig(body)) {
    throw configNetwork(
      'permission_denied',
      'user specified configurations are not supported if the network depends on a configuration network',
    )
  }
}

function hasOwnConfig({ IPAM: ipam, EnableIPv4, EnableIPv6, Labels, Options }: NetworkCreateBody): boolean {
  const some = (map: object | null | undefined): boolean => Object.keys(map ?? {}).length > 0
  const driver = ipam?.Driver ?? ''
  return (
    (driver !== '' && driver !== 'default') ||
    EnableIPv4 === false ||
    EnableIPv6 === true ||
    [Labels, Options, ipam?.Options].some(some) ||
    (ipam?.Config ?? []).length > 0
  )
}
