import type { HealthConfig, HostConfig, NetworkingConfig } from '#api/generated/types.ts'
import type { ContainerCreateBody } from '#client/containers.ts'
import { commandError } from '../errors.ts'
import { cut } from '../flags.ts'
import type { CreateFlags } from './flags.ts'
import { environment, keyValues, readKeyValues } from './key-values.ts'
import { parseMount, parseTmpfs, parseVolume } from './mounts.ts'
import { endpointSettings, isUserDefined, parseNetwork, type Attachment } from './networks.ts'
import { parseExpose, parsePublish } from './ports.ts'
import { compact, createResources, parseRestart } from './resources.ts'
import { securityOptions } from './security.ts'

/** What a create body depends on besides the flags. */
export interface Surroundings {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Variables of every container that are not given otherwise. */
  readonly proxies?: Readonly<Record<string, string>>
  /** Names of the flags that were given. */
  readonly changed: ReadonlySet<string>
}

/** The body of POST /containers/create for these flags, as Docker's command line would send it, without empty fields. */
export function createBody(
  flags: CreateFlags,
  args: readonly string[],
  around: Surroundings,
): ContainerCreateBody {
  const [image = '', ...command] = args
  const ports = parsePublish(flags.publish)
  const volumes = flags.volume.map((text) => parseVolume(text, around.cwd))
  const networking = networkingConfig(flags)
  return {
    ...streams(flags),
    ...compact({
      Cmd: command,
      Domainname: flags.domainname,
      Env: variables(flags, around),
      ExposedPorts: {
        ...ports.exposed,
        ...Object.fromEntries(parseExpose(flags.expose).map((port) => [port, {}])),
      },
      Healthcheck: healthcheck(flags),
      Hostname: flags.hostname,
      Image: image,
      Labels: keyValues(readKeyValues(flags['label-file'], flags.label, undefined)),
      StopSignal: flags['stop-signal'],
      StopTimeout: flags['stop-timeout'],
      User: flags.user,
      Volumes: Object.fromEntries(
        volumes.flatMap((each) => ('anonymous' in each ? [[each.anonymous, {}]] : [])),
      ),
      WorkingDir: flags.workdir,
    }),
    // An empty text clears the image's entrypoint, and that is said with an empty element.
    ...(around.changed.has('entrypoint') ? { Entrypoint: [flags.entrypoint] } : {}),
    HostConfig: {
      ...hostConfig(flags, around),
      ...compact({
        Binds: volumes.flatMap((each) => ('bind' in each ? [each.bind] : [])),
        PortBindings: ports.bindings,
      }),
    },
    ...(Object.keys(networking.EndpointsConfig ?? {}).length === 0 ? {} : { NetworkingConfig: networking }),
  }
}

function variables(flags: CreateFlags, { env, proxies = {} }: Surroundings): string[] {
  const given = environment(readKeyValues(flags['env-file'], flags.env, env), env)
  const names = new Set(given.map((text) => cut(text, '=')[0]))
  const others = Object.entries(proxies).filter(([name]) => !names.has(name))
  return [...given, ...others.map(([name, value]) => `${name}=${value}`)]
}

function streams(flags: CreateFlags): ContainerCreateBody {
  const { attach, interactive } = flags
  const all = attach.length === 0
  const stdin = all ? interactive : attach.includes('stdin')
  return compact({
    AttachStdin: stdin,
    AttachStdout: all || attach.includes('stdout'),
    AttachStderr: all || attach.includes('stderr'),
    OpenStdin: interactive,
    StdinOnce: interactive && stdin,
    Tty: flags.tty,
  })
}

function hostConfig(flags: CreateFlags, { cwd, changed }: Surroundings): HostConfig {
  checkChoices(flags)
  if (flags['log-driver'] === 'none' && flags['log-opt'].length > 0) {
    throw commandError('invalid logging opts for driver none')
  }
  const restart = parseRestart(flags.restart)
  if (flags.rm && !['', 'no'].includes(restart.Name ?? '')) {
    throw commandError('conflicting options: cannot specify both --restart and --rm')
  }
  return {
    ...createResources(flags),
    ...securityOptions(flags['security-opt']),
    ...(changed.has('init') ? { Init: flags.init } : {}),
    NetworkMode: attachments(flags)[0]?.target ?? 'default',
    ...compact({
      Annotations: annotations(flags),
      AutoRemove: flags.rm,
      CapAdd: flags['cap-add'],
      CapDrop: flags['cap-drop'],
      CgroupnsMode: flags.cgroupns as NonNullable<HostConfig['CgroupnsMode']>,
      ContainerIDFile: flags.cidfile,
      Dns: flags.dns,
      DnsOptions: [...flags['dns-option'], ...flags['dns-opt']],
      DnsSearch: flags['dns-search'],
      ExtraHosts: flags['add-host'],
      GroupAdd: flags['group-add'],
      IpcMode: flags.ipc,
      Isolation: flags.isolation as NonNullable<HostConfig['Isolation']>,
      Links: flags.link,
      LogConfig: compact({
        Type: flags['log-driver'] as NonNullable<NonNullable<HostConfig['LogConfig']>['Type']>,
        Config: keyValues(flags['log-opt']),
      }),
      Mounts: flags.mount.map((text) => parseMount(text, cwd)),
      OomScoreAdj: flags['oom-score-adj'],
      PidMode: flags.pid,
      Privileged: flags.privileged,
      PublishAllPorts: flags['publish-all'],
      ReadonlyRootfs: flags['read-only'],
      RestartPolicy: compact(restart),
      Runtime: flags.runtime,
      ShmSize: flags['shm-size'],
      StorageOpt: flags['storage-opt'],
      Sysctls: flags.sysctl,
      Tmpfs: parseTmpfs(flags.tmpfs),
      UsernsMode: flags.userns,
      UTSMode: flags.uts,
      VolumeDriver: flags['volume-driver'],
      VolumesFrom: flags['volumes-from'],
    }),
  } as HostConfig
}

function checkChoices(flags: CreateFlags): void {
  if (!['always', 'missing', 'never'].includes(flags.pull)) {
    throw commandError(`invalid pull option: '${flags.pull}': must be one of "always", "missing" or "never"`)
  }
  const shares = (text: string): boolean => /^container:.+/.test(text)
  if (!['', 'host'].includes(flags.pid) && !shares(flags.pid)) throw commandError('--pid: invalid PID mode')
  if (!['', 'host'].includes(flags.uts)) throw commandError('--uts: invalid UTS mode')
  if (!['', 'host'].includes(flags.userns)) throw commandError('--userns: invalid USER mode')
  if (!['', 'host', 'private'].includes(flags.cgroupns)) throw commandError('--cgroupns: invalid CGROUP mode')
}

/** Docker's API has no place of its own for what happens to the unhealthy. */
function annotations({ annotation, 'health-on-failure': action }: CreateFlags): Record<string, string> {
  return action === '' ? annotation : { ...annotation, 'berth.health.on-failure': action }
}

function healthcheck(flags: CreateFlags): HealthConfig | undefined {
  const found = compact({
    Test: healthTest(flags),
    Interval: flags['health-interval'],
    Retries: flags['health-retries'],
    StartInterval: flags['health-start-interval'],
    StartPeriod: flags['health-start-period'],
    Timeout: flags['health-timeout'],
  })
  if (flags['no-healthcheck']) {
    if (Object.keys(found).length > 0)
      throw commandError('--no-healthcheck conflicts with --health-* options')
    return { Test: ['NONE'] }
  }
  for (const name of [
    'health-interval',
    'health-timeout',
    'health-start-period',
    'health-start-interval',
  ] as const) {
    if ((flags[name] ?? 0) < 0) throw commandError(`--${name} cannot be negative`)
  }
  if ((flags['health-retries'] ?? 0) < 0) throw commandError('--health-retries cannot be negative')
  return found
}

function healthTest(flags: CreateFlags): string[] {
  const tests = [
    ['CMD-SHELL', flags['health-cmd']],
    ['HTTP', flags['health-http']],
    ['TCP', flags['health-tcp']],
  ] as const
  const [test, ...more] = tests.filter(([, what]) => what !== '')
  if (more.length > 0) throw commandError('--health-cmd, --health-http and --health-tcp exclude each other')
  return test === undefined ? [] : [...test]
}

function attachments(flags: CreateFlags): Attachment[] {
  return [...flags.network, ...flags.net].map(parseNetwork)
}

/** The endpoints to create. Flags such as `--ip` and `--network-alias` belong to the first network. */
function networkingConfig(flags: CreateFlags): NetworkingConfig {
  const given = attachments(flags)
  const [first = parseNetwork('default'), ...others] = given
  if (
    given.length > 1 &&
    given.some(({ target }) => !isUserDefined(target)) &&
    given.some(({ target }) => isUserDefined(target))
  ) {
    throw commandError(
      'conflicting options: cannot attach both user-defined and non-user-defined network-modes',
    )
  }
  const endpoints = [withContainerFlags(first, flags), ...others]
  const named = new Map<string, ReturnType<typeof endpointSettings>>()
  for (const endpoint of endpoints) {
    if (named.has(endpoint.target))
      throw commandError(`network "${endpoint.target}" is specified multiple times`)
    named.set(endpoint.target, endpointSettings(endpoint))
  }
  // A single network without settings of its own is said by NetworkMode alone.
  const only = named.size === 1 && Object.keys(named.get(first.target) ?? {}).length === 0
  return { EndpointsConfig: only ? {} : Object.fromEntries(named) }
}

function withContainerFlags(first: Attachment, flags: CreateFlags): Attachment {
  const pick = <T extends string | readonly string[]>(flag: string, here: T, there: T): T => {
    if (here.length > 0 && there.length > 0) {
      throw commandError(
        `conflicting options: cannot specify both --${flag} and per-network ${flag.replace('network-', '')}`,
      )
    }
    return here.length > 0 ? here : there
  }
  const aliases = [...flags['network-alias'], ...flags['net-alias']]
  if (aliases.length > 0 && !isUserDefined(first.target)) {
    throw commandError('network-scoped aliases are only supported for user-defined networks')
  }
  return {
    ...first,
    aliases: pick('network-alias', aliases, first.aliases),
    ipv4: pick('ip', flags.ip, first.ipv4),
    ipv6: pick('ip6', flags.ip6, first.ipv6),
    linkLocal: pick('link-local-ip', flags['link-local-ip'], first.linkLocal),
    mac: pick('mac-address', flags['mac-address'], first.mac),
    links: isUserDefined(first.target) ? flags.link.map((text) => linkOf(text)) : [],
  }
}

/** `name` links under the same name. */
function linkOf(text: string): string {
  const [name, alias = name] = cut(text, ':')
  return `${name}:${alias}`
}
