import type {
  ContainerInspectResponse,
  EndpointSettings,
  MountPoint,
  PortMap,
  PortSummary,
} from '#api/generated/types.ts'
import type { Health } from '#api/generated/types.ts'
import { isDirect } from '#network/direct-ports.ts'
import type { Endpoint, PublishedPort } from '#network/networks.ts'
import { parseSecurityOptions } from './config/security-options.ts'
import { driverOf } from '../logs/log-options.ts'
import { logConfigOf } from './container-log.ts'
import type { Attachment, Container, ContainerMount } from './container.ts'
import { dnsNames, isUserDefined } from '../networks/names-of.ts'
import type { ContainerPaths } from './paths.ts'
import { NEVER, lastOf, runOf } from './state.ts'

/** What inspect shows besides the container itself. */
export interface InspectContext {
  readonly paths: ContainerPaths
  /** Id of a network that a container was created for, by name; empty when it is gone. */
  readonly networkId: (name: string) => string
  readonly execIds: readonly string[]
  readonly health: Health | undefined
  /** As they are shown. */
  readonly links: string[] | null
  readonly driver: string
  readonly upper: string
  /** Path of the container's network namespace; empty when it does not run. */
  readonly sandboxKey: string
}

/** The document of `GET /containers/{id}/json`, in its newest form. */
export function inspectDocument(container: Container, context: InspectContext): ContainerInspectResponse {
  const { paths, execIds, driver } = context
  return {
    Id: container.id,
    Created: container.createdAt,
    Path: container.path,
    Args: [...container.args],
    State: stateDocument(container, context.health),
    Image: container.imageId ?? '',
    ...filesOf(container, paths),
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    Driver: driver,
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: parseSecurityOptions(container.hostConfig.SecurityOpt ?? []).apparmor ?? '',
    ExecIDs: execIds.length === 0 ? null : [...execIds],
    HostConfig: { ...container.hostConfig, Links: context.links },
    GraphDriver: { Name: driver, Data: { UpperDir: context.upper } },
    Mounts: mountPoints(container),
    Config: container.config,
    NetworkSettings: networkSettings(container, context),
  }
}

/** The first start makes them. */
function filesOf(container: Container, paths: ContainerPaths): ContainerInspectResponse {
  const { state } = container
  if (runOf(state) === undefined && lastOf(state) === undefined) {
    return { ResolvConfPath: '', HostnamePath: '', HostsPath: '', LogPath: '' }
  }
  return {
    ResolvConfPath: paths.resolvConf,
    HostnamePath: paths.hostname,
    HostsPath: paths.hosts,
    LogPath: driverOf(logConfigOf(container)) === 'json-file' ? paths.log : '',
  }
}

function stateDocument({ state }: Container, health: Health | undefined): ContainerInspectResponse['State'] {
  const run = runOf(state)
  const last = lastOf(state)
  return {
    Status: state.status,
    // Docker says "running" while paused and while waiting for a restart.
    Running: run !== undefined || state.status === 'restarting',
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: (run ?? last)?.oomKilled ?? false,
    Dead: state.status === 'dead',
    Pid: run?.pid ?? 0,
    ExitCode: last?.exitCode ?? 0,
    Error: last?.error ?? '',
    StartedAt: run?.startedAt ?? last?.startedAt ?? NEVER,
    FinishedAt: last?.finishedAt ?? run?.previousEnd ?? NEVER,
    ...(health === undefined ? {} : { Health: health }),
  }
}

/** What is mounted, but for that of `HostConfig.Tmpfs`: Docker shows it there alone. */
export function mountPoints({ mounts, hostConfig }: Container): MountPoint[] {
  const tmpfs = hostConfig.Tmpfs ?? {}
  return mounts
    .filter(({ type, destination }) => type !== 'tmpfs' || !Object.hasOwn(tmpfs, destination))
    .map(mountPoint)
}

function mountPoint(mount: ContainerMount): MountPoint {
  return {
    Type: mount.type,
    ...(mount.name === undefined ? {} : { Name: mount.name }),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.type === 'volume' ? { Driver: mount.driver ?? 'local' } : {}),
    Mode: mount.mode,
    RW: mount.readWrite,
    Propagation: mount.propagation,
  }
}

function networkSettings(container: Container, context: InspectContext): object {
  const run = runOf(container.state)
  return {
    SandboxID: run === undefined ? '' : container.id,
    SandboxKey: context.sandboxKey,
    Ports: run === undefined ? {} : portMap(container, run.ports),
    Networks: networkEndpoints(container, context.networkId),
  }
}

/** `NetworkSettings.Networks`: one entry per network, also while it does not run; none when a namespace is shared. */
export function networkEndpoints(
  container: Container,
  networkId: InspectContext['networkId'],
): Record<string, EndpointSettings> {
  const { attachments, state, config, hostConfig } = container
  if (config.NetworkDisabled === true) return {}
  const mode = hostConfig.NetworkMode ?? 'bridge'
  if (mode === 'host' || mode === 'none') {
    return { [mode]: endpointSettings(container, { network: mode, settings: {} }, undefined, networkId) }
  }
  const endpoints = runOf(state)?.endpoints ?? []
  return Object.fromEntries(
    attachments.map((attachment) => {
      const endpoint = endpoints.find(({ network }) => network === attachment.network)
      return [attachment.network, endpointSettings(container, attachment, endpoint, networkId)]
    }),
  )
}

function endpointSettings(
  container: Container,
  { network, settings }: Attachment,
  endpoint: Endpoint | undefined,
  networkId: InspectContext['networkId'],
): EndpointSettings {
  return {
    IPAMConfig: settings.IPAMConfig ?? null,
    Links: settings.Links ?? null,
    Aliases: settings.Aliases ?? null,
    DriverOpts: settings.DriverOpts ?? null,
    GwPriority: settings.GwPriority ?? 0,
    NetworkID: endpoint?.networkId ?? networkId(network),
    ...operational(endpoint ?? { mac: settings.MacAddress ?? '' }),
    DNSNames: isUserDefined(network) ? dnsNames(container, settings) : null,
  }
}

/** What only a container that runs has. */
function operational(endpoint: Partial<Endpoint> = {}): EndpointSettings {
  return {
    EndpointID: endpoint.id ?? '',
    Gateway: gatewayText(endpoint.gateway),
    IPAddress: endpoint.ipv4 ?? '',
    MacAddress: endpoint.mac ?? '',
    IPPrefixLen: endpoint.ipv4Prefix ?? 0,
    IPv6Gateway: gatewayText(endpoint.gateway6),
    GlobalIPv6Address: endpoint.ipv6 ?? '',
    GlobalIPv6PrefixLen: endpoint.ipv6Prefix ?? 0,
  }
}

/** Empty for what is reached at the container's own address. */
function hostPortText(port: PublishedPort): string {
  return isDirect(port) ? '' : String(port.hostPort)
}

/** A default route to the link itself has no gateway. */
function gatewayText(gateway = ''): string {
  return gateway === '0.0.0.0' || gateway === '::' ? '' : gateway
}

/** A port published on every address is shown once per family. */
function hostAddresses(port: PublishedPort): string[] {
  return port.hostIp === '' ? ['0.0.0.0', '::'] : [port.hostIp]
}

function portMap(container: Container, ports: readonly PublishedPort[]): PortMap {
  const map: PortMap = {}
  for (const exposed of Object.keys(container.config.ExposedPorts ?? {})) map[exposed] = null
  for (const port of ports) {
    const key = `${port.containerPort}/${port.protocol}`
    const bindings = hostAddresses(port).map((HostIp) => ({ HostIp, HostPort: hostPortText(port) }))
    map[key] = [...(map[key] ?? []), ...bindings]
  }
  return map
}

/** The `Ports` of a list entry; empty for a container that does not run. */
export function portSummaries(container: Container): PortSummary[] {
  const run = runOf(container.state)
  if (run === undefined) return []
  const published = new Set(run.ports.map((port) => `${port.containerPort}/${port.protocol}`))
  const exposed = Object.keys(container.config.ExposedPorts ?? {})
    .filter((key) => !published.has(key))
    .map((key) => {
      const [port = '0', protocol = 'tcp'] = key.split('/')
      return { PrivatePort: Number(port), Type: protocol } as PortSummary
    })
  const bound = run.ports.flatMap((port) =>
    hostAddresses(port).map((IP) => ({
      IP,
      PrivatePort: port.containerPort,
      ...(isDirect(port) ? {} : { PublicPort: port.hostPort }),
      Type: port.protocol,
    })),
  )
  return [...bound, ...exposed]
}
