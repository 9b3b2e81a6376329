import type { HealthConfig, HostConfig, PortMap, RestartPolicy } from '#api/generated/types.ts'
import type { ContainerCreateBody } from '#client/containers.ts'
import { parseDuration } from '../schema/long-duration.ts'
import type { Healthcheck, Project, Service, Variables } from '../model/project.ts'
import { type Identity, containerLabels } from './labels.ts'
import { type InheritedVolume, mountsOf } from './mounts.ts'
import { endpointsOf } from './networks.ts'
import { present } from './present.ts'
import { limitsOf, securityOptions } from './resources.ts'

/** Everything that decides what a container becomes. */
export interface ContainerPlan extends Identity {
  readonly name: string
  readonly image: string
  readonly inherited: readonly InheritedVolume[]
  /** Ids of containers that other services' namespaces and volumes stand for, by service. */
  readonly containerOf: (service: string) => string
  /** Off for one-off containers: the names of the service belong to others. */
  readonly aliases: boolean
  /** Off: no port is published. */
  readonly publishes?: boolean
}

/** The body of `POST /containers/create` for a service. */
export function containerBody(project: Project, service: Service, plan: ContainerPlan): ContainerCreateBody {
  const { mode, endpoints } = endpointsOf(project, shared(service, plan), {
    name: plan.service,
    container: plan.name,
    aliases: plan.aliases,
  })
  const { command, entrypoint } = service
  return {
    ...present<ContainerCreateBody>({
      Image: plan.image,
      Hostname: service.hostname,
      Domainname: service.domainname,
      User: service.user,
      WorkingDir: service.working_dir,
      Tty: service.tty,
      OpenStdin: service.stdin_open,
      Cmd: command ?? undefined,
      Entrypoint: entrypoint === null ? undefined : entrypoint.length === 0 ? [''] : entrypoint,
      Env: environmentOf(service.environment),
      ExposedPorts: exposedPorts(service),
      Healthcheck: healthOf(service.healthcheck),
      StopSignal: service.stop_signal,
      StopTimeout: seconds(service.stop_grace_period),
    }),
    Labels: containerLabels(project, service, plan),
    HostConfig: hostConfig(project, service, plan, mode),
    ...(Object.keys(endpoints).length === 0 ? {} : { NetworkingConfig: { EndpointsConfig: endpoints } }),
  }
}

function hostConfig(project: Project, service: Service, plan: ContainerPlan, mode: string): HostConfig {
  const sharing = shared(service, plan)
  return {
    ...present<HostConfig>({
      NetworkMode: mode,
      PortBindings: plan.publishes === false ? undefined : portBindings(service),
      RestartPolicy: restartPolicy(service),
      Init: service.init,
      Privileged: service.privileged,
      ReadonlyRootfs: service.read_only,
      CapAdd: service.cap_add,
      CapDrop: service.cap_drop,
      SecurityOpt: securityOptions(service),
      GroupAdd: service.group_add,
      Dns: service.dns,
      DnsOptions: service.dns_opt,
      DnsSearch: service.dns_search,
      ExtraHosts: service.extra_hosts?.map((line) => line.replace('=', ':')),
      IpcMode: sharing.ipc,
      PidMode: sharing.pid,
      UTSMode: sharing.uts,
      CgroupnsMode: service.cgroup as 'host',
      UsernsMode: service.userns_mode,
      VolumesFrom: sharing.volumes_from,
      LogConfig: logConfig(service),
      Runtime: service.runtime,
      Isolation: service.isolation as 'default',
      StorageOpt: service.storage_opt,
      Sysctls: service.sysctls,
      Annotations: service.annotations,
    }),
    ...mountsOf(project, service, plan.inherited),
    ...limitsOf(service),
  }
}

/** The service with containers in the place of the services whose namespaces and volumes it uses. */
function shared(service: Service, { containerOf }: ContainerPlan): Service {
  const named = (mode: string | undefined): string | undefined =>
    mode?.startsWith('service:') === true ? `container:${containerOf(mode.slice('service:'.length))}` : mode
  const from = service.volumes_from?.map((text) => {
    if (text.startsWith('container:')) return text.slice('container:'.length)
    const [name = '', ...rest] = text.split(':')
    return [containerOf(name), ...rest].join(':')
  })
  const { network_mode, ipc, pid, uts, volumes_from: _from, ...rest } = service
  return {
    ...rest,
    ...present({
      network_mode: named(network_mode),
      ipc: named(ipc),
      pid: named(pid),
      uts: named(uts),
      volumes_from: from,
    }),
  }
}

/** A variable without a value takes the image's one away. */
export function environmentOf(environment: Variables | undefined): string[] | undefined {
  if (environment === undefined) return undefined
  return Object.entries(environment).map(([name, value]) => (value === null ? name : `${name}=${value}`))
}

function exposedPorts({ expose = [], ports = [] }: Service): Record<string, object> | undefined {
  const exposed = expose.flatMap((text) => {
    const [range = '', protocol = 'tcp'] = text.split('/')
    const [first = '', last = first] = range.split('-')
    return Array.from(
      { length: Number(last) - Number(first) + 1 },
      (_, i) => `${Number(first) + i}/${protocol}`,
    )
  })
  const all = [...exposed, ...ports.map(({ target, protocol = 'tcp' }) => `${target}/${protocol}`)]
  return all.length === 0 ? undefined : Object.fromEntries(all.map((port) => [port, {}]))
}

function portBindings({ ports }: Service): PortMap | undefined {
  if (ports === undefined) return undefined
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const { target, protocol = 'tcp', host_ip = '', published = '' } of ports) {
    const list = (bindings[`${target}/${protocol}`] ??= [])
    list.push({ HostIp: host_ip, HostPort: published })
  }
  return bindings
}

/** What `deploy` says wins. */
function restartPolicy({ restart, deploy }: Service): RestartPolicy | undefined {
  const policy = deploy?.restart_policy
  if (policy !== undefined) {
    const names = { none: 'no', 'on-failure': 'on-failure', any: 'always' } as const
    const name = names[(policy.condition ?? 'any') as keyof typeof names] ?? 'unless-stopped'
    return { Name: name, ...(name === 'on-failure' ? { MaximumRetryCount: policy.max_attempts ?? 0 } : {}) }
  }
  if (restart === undefined) return undefined
  const [name = '', count] = restart.split(':')
  return { Name: name as 'no', ...(count === undefined ? {} : { MaximumRetryCount: Number(count) }) }
}

function healthOf(check: Healthcheck | undefined): HealthConfig | undefined {
  if (check === undefined) return undefined
  if (check.disable === true) return { Test: ['NONE'] }
  return present<HealthConfig>({
    Test: check.test,
    Interval: nanoseconds(check.interval),
    Timeout: nanoseconds(check.timeout),
    Retries: check.retries,
    StartPeriod: nanoseconds(check.start_period),
    StartInterval: nanoseconds(check.start_interval),
  })
}

function logConfig({ logging }: Service): HostConfig['LogConfig'] {
  if (logging === undefined) return undefined
  const options = Object.entries(logging.options ?? {}).flatMap(([key, value]) =>
    value === null ? [] : [[key, value]],
  )
  return {
    Type: (logging.driver ?? '') as 'json-file',
    Config: Object.fromEntries(options) as Record<string, string>,
  }
}

function nanoseconds(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text)
}

/** Whole seconds; a part of one counts as one. */
function seconds(text: string | undefined): number | undefined {
  const given = nanoseconds(text)
  return given === undefined ? undefined : Math.ceil(given / 1e9)
}
