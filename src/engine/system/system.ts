import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { arch, cpus, hostname, release, totalmem, type as osType } from 'node:os'
import type { ImageSummary, SystemInfo, SystemVersion } from '#api/generated/types.ts'
import type { BuildCacheRecord, BuildService } from '../builds/service.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import { logDrivers } from '../logs/log-options.ts'
import type { ContainerQuery, ImageService, SystemService } from '../services.ts'
import type { Volumes } from '../volumes/volumes.ts'
import type { Proxies } from '#registry/client/proxy.ts'
import type { DiskAccount } from '#api/disk-account.ts'
import type { ConfiguredRuntime } from '#runtime/runtime-command.ts'
import { usageOf } from './usage.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'

/** What does not change while the daemon runs. */
export interface EngineFacts {
  readonly id: string
  readonly version: string
  readonly apiVersion: string
  readonly minApiVersion: string
  readonly gitCommit: string
  readonly builtAt: string
  readonly dataRoot: string
  readonly storageDriver: string
  readonly runtime: {
    readonly name: string
    readonly path: string
    readonly version: string
    readonly reason: string
  }
  /** Those of the configuration, by name. */
  readonly configuredRuntimes: Readonly<Record<string, ConfiguredRuntime>>
  readonly cgroupVersion: '1' | '2'
  /** Clients are told to build by the classic request. */
  readonly classicBuilder: boolean
  /** The log has everything. */
  readonly debug: boolean
  readonly warnings: readonly string[]
  readonly registries: { readonly hubMirrors: readonly string[]; readonly insecure: readonly string[] }
  /** Of the engine's own requests. */
  readonly proxies: Proxies
  /** The registry that this engine serves. */
  readonly ownRegistry?: { readonly url: string; readonly root: string } | undefined
}

export interface SystemDeps {
  readonly facts: EngineFacts
  readonly registry: ContainerRegistry
  readonly containers: Pick<ContainerQuery, 'list'>
  readonly images: ImageService
  readonly volumes: Pick<Volumes, 'usage'>
  readonly builds: Pick<BuildService, 'usage'>
  readonly snapshots: Snapshots
  /** Number of clients that follow events. */
  readonly eventListeners: () => number
  /** Of containers that name none. */
  readonly loggingDriver: () => string
  readonly labels: () => readonly string[]
  /** Every byte below the data root, explained. */
  readonly account: () => Promise<DiskAccount>
}

const NO_FILTERS = new Map<string, readonly string[]>()
const LIST_IMAGES = { all: true, filters: NO_FILTERS, sharedSize: true, digests: false, manifests: false }

/** The daemon as a whole. */
export class System implements SystemService {
  readonly #deps: SystemDeps
  #accounting: Promise<DiskAccount> | undefined

  constructor(deps: SystemDeps) {
    this.#deps = deps
  }

  get builderVersion(): '1' | '2' {
    return this.#deps.facts.classicBuilder ? '1' : '2'
  }

  async version(): Promise<SystemVersion> {
    const { facts } = this.#deps
    const details = {
      ApiVersion: facts.apiVersion,
      Arch: goArch(),
      BuildTime: facts.builtAt,
      GitCommit: facts.gitCommit,
      KernelVersion: release(),
      MinAPIVersion: facts.minApiVersion,
      NodeVersion: process.version,
      Os: 'linux',
    }
    return {
      Platform: { Name: 'berth' },
      Components: [
        { Name: 'Engine', Version: facts.version, Details: { ...details, Experimental: 'false' } },
        { Name: facts.runtime.name, Version: facts.runtime.version, Details: { Path: facts.runtime.path } },
      ],
      Version: facts.version,
      ApiVersion: facts.apiVersion,
      MinAPIVersion: facts.minApiVersion,
      GitCommit: facts.gitCommit,
      GoVersion: '',
      Os: 'linux',
      Arch: goArch(),
      KernelVersion: release(),
      BuildTime: facts.builtAt,
    }
  }

  async info(): Promise<SystemInfo> {
    const { facts, images } = this.#deps
    return {
      ID: facts.id,
      ...this.#counts(),
      Images: (await images.list({ ...LIST_IMAGES, sharedSize: false })).length,
      Driver: facts.storageDriver,
      DriverStatus: [
        ['Backing layout', facts.storageDriver === 'erofs' ? 'tar with EROFS index' : 'directories'],
      ],
      DockerRootDir: facts.dataRoot,
      Plugins: {
        Volume: ['local'],
        Network: ['bridge', 'host', 'ipvlan', 'macvlan', 'null'],
        Authorization: null,
        Log: [...logDrivers],
      },
      ...limitSupport(),
      ...processFacts(facts, this.#deps.eventListeners()),
      CgroupDriver: 'cgroupfs',
      CgroupVersion: facts.cgroupVersion,
      SystemTime: new Date().toISOString(),
      LoggingDriver: this.#deps.loggingDriver(),
      KernelVersion: release(),
      OperatingSystem: await operatingSystem(),
      OSVersion: '',
      OSType: osType().toLowerCase(),
      Architecture: machineName(),
      NCPU: cpus().length,
      MemTotal: totalmem(),
      ...registryFacts(facts.registries),
      GenericResources: null,
      ...proxyFacts(facts.proxies),
      Name: hostname(),
      Labels: [...this.#deps.labels()],
      ExperimentalBuild: false,
      ServerVersion: facts.version,
      Runtimes: runtimesOf(facts),
      DefaultRuntime: facts.runtime.name,
      Swarm: noSwarm,
      LiveRestoreEnabled: true,
      Isolation: '',
      InitBinary: '',
      ContainerdCommit: { ID: '' },
      RuncCommit: { ID: facts.runtime.version },
      InitCommit: { ID: '' },
      SecurityOptions: ['name=seccomp,profile=builtin'],
      Warnings: facts.warnings.length > 0 ? [...facts.warnings] : null,
      CDISpecDirs: [],
      FirewallBackend: { Driver: 'nftables' },
      ...ownRegistryFacts(facts.ownRegistry),
    } as unknown as SystemInfo
  }

  async diskUsage({ types }: { readonly types: readonly string[] }): Promise<object> {
    const wanted = (type: string): boolean => types.length === 0 || types.includes(type)
    const { images, volumes, builds } = this.#deps
    return {
      ...(wanted('image')
        ? { ImageUsage: imageUsage(await images.list(LIST_IMAGES), await this.#layersSize()) }
        : {}),
      ...(wanted('container') ? { ContainerUsage: await this.#containerUsage() } : {}),
      ...(wanted('volume') ? { VolumeUsage: await volumes.usage() } : {}),
      ...(wanted('build-cache') ? { BuildCacheUsage: buildUsage(await builds.usage()) } : {}),
      // Not Docker's: its clients leave it alone.
      ...(types.length === 0 ? { Berth: await this.#account() } : {}),
    }
  }

  /** Callers that overlap share one walk. */
  #account(): Promise<DiskAccount> {
    return (this.#accounting ??= this.#deps.account().finally(() => {
      this.#accounting = undefined
    }))
  }

  async #layersSize(): Promise<number> {
    let size = 0
    for await (const layer of this.#deps.snapshots.layers()) size += layer.stored
    return size
  }

  async #containerUsage(): Promise<object> {
    const items = await this.#deps.containers.list({
      all: true,
      limit: undefined,
      size: true,
      filters: NO_FILTERS,
    })
    return usageOf(
      items,
      ({ SizeRw }) => SizeRw ?? 0,
      ({ State }) => State === 'running' || State === 'paused' || State === 'restarting',
    )
  }

  #counts(): object {
    const statuses = this.#deps.registry.all().map(({ state }) => state.status)
    const running = statuses.filter((status) => status === 'running' || status === 'restarting').length
    const paused = statuses.filter((status) => status === 'paused').length
    return {
      Containers: statuses.length,
      ContainersRunning: running,
      ContainersPaused: paused,
      ContainersStopped: statuses.length - running - paused,
    }
  }
}

/** What images have as well is theirs. */
function buildUsage(items: readonly BuildCacheRecord[]): object {
  return usageOf(
    items,
    ({ Size, Shared }) => (Shared ? 0 : Size),
    ({ InUse }) => InUse,
  )
}

/** Layers are shared: the total is what is on disk, not the sum of the images. */
function imageUsage(items: readonly ImageSummary[], layersSize: number): object {
  const usage = usageOf(
    items,
    ({ Size, SharedSize }) => (Size ?? 0) - Math.max(0, SharedSize ?? 0),
    ({ Containers }) => (Containers ?? 0) > 0,
  )
  return { ...usage, TotalSize: layersSize }
}

function proxyFacts({ http, https, no }: Proxies): object {
  return { HttpProxy: withoutPassword(http), HttpsProxy: withoutPassword(https), NoProxy: no }
}

/** Who may ask for facts need not know it. Docker's mask. */
function withoutPassword(proxy: string): string {
  return proxy.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/@]*@/i, '$1xxxxx:xxxxx@')
}

/** As Docker shows it: networks apart, hosts as indexes of their own. */
function registryFacts({ hubMirrors: mirrors, insecure }: EngineFacts['registries']): object {
  const hubMirrors = mirrors.map((url) => url.replace(/\/*$/, '/'))
  const hosts = insecure.filter((entry) => !entry.includes('/'))
  const unsafe = hosts.map((host) => [host, { Name: host, Mirrors: [], Secure: false, Official: false }])
  return {
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: {
      IndexConfigs: {
        'docker.io': { Name: 'docker.io', Mirrors: hubMirrors, Secure: true, Official: true },
        ...Object.fromEntries(unsafe),
      },
      InsecureRegistryCIDRs: [...insecure.filter((entry) => entry.includes('/')), '127.0.0.0/8', '::1/128'],
      Mirrors: hubMirrors.length > 0 ? hubMirrors : null,
    },
  }
}

/** Not Docker's: its clients leave it alone. */
function ownRegistryFacts(registry: EngineFacts['ownRegistry']): object {
  return registry === undefined ? {} : { Berth: { Registry: { URL: registry.url, Root: registry.root } } }
}

/** By name; Docker's name for its default is taken for ours. */
function runtimesOf({ runtime, configuredRuntimes }: EngineFacts): NonNullable<SystemInfo['Runtimes']> {
  const own = { path: runtime.path }
  const configured = Object.entries(configuredRuntimes).map(([name, { path, args }]) => [
    name,
    args.length === 0 ? { path } : { path, runtimeArgs: [...args] },
  ])
  return { runc: own, [runtime.name]: own, ...Object.fromEntries(configured) }
}

/** What is open and under way in the process, of which Docker counts goroutines. */
function processFacts({ debug }: EngineFacts, listeners: number): object {
  return {
    Debug: debug,
    NFd: readdirSync('/proc/self/fd').length,
    NGoroutines: process.getActiveResourcesInfo().length,
    NEventsListener: listeners,
  }
}

function limitSupport(): object {
  return {
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1',
    OomKillDisable: true,
  }
}

async function operatingSystem(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? 'Linux'
}

/** Go's names, which are OCI's too. */
function goArch(): string {
  return arch() === 'x64' ? 'amd64' : arch()
}

function machineName(): string {
  return arch() === 'x64' ? 'x86_64' : arch() === 'arm64' ? 'aarch64' : arch()
}

const noSwarm = {
  NodeID: '',
  NodeAddr: '',
  LocalNodeState: 'inactive',
  ControlAvailable: false,
  Error: '',
  RemoteManagers: null,
}
