import { mkdir, stat, writeFile } from 'node:fs/promises'
import { hostname as machineName } from 'node:os'
import { dirname, join } from 'node:path'
import { EngineError } from '#base/errors.ts'
import type { Endpoint, Networks, Ways } from '#network/networks.ts'
import { noSuchNetwork } from '#network/errors.ts'
import { splitSysctls } from '#runtime/namespaces.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type { Runtimes, UsableRuntime } from '#runtime/runtimes.ts'
import type { ShimConfig, ShimLink, ShimNetwork, ShimPin } from '#runtime/shim.ts'
import { buildSpec, type SpecInput, type SpecMachine, type SpecMount } from '#runtime/spec.ts'
import { resolveUser } from '#runtime/users.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Accounts } from './accounts.ts'
import { endpointSysctls } from '../networks/attachments.ts'
import { shimLink } from '../networks/shim-link.ts'
import type { Container } from './container.ts'
import { shimLog } from './container-log.ts'
import { blockDeviceNumber, containerDevices } from './devices.ts'
import { donorNotRunning, wrongState } from './errors.ts'
import type { EtcFiles } from './etc-files.ts'
import { type MountSources, mountPins } from './mount-sources.ts'
import type { PathsOf } from './paths.ts'
import type { ContainerRegistry } from './registry.ts'
import { cgroupsPath } from './remains.ts'
import { INIT_PATH, type SharedNamespace, specInput, usesInit } from './spec-input.ts'
import { runOf } from './state.ts'
import type { Bundles } from './supervisor.ts'
import { networkModeOf } from './network-mode.ts'

export interface BundlesDeps {
  readonly registry: ContainerRegistry
  readonly snapshots: Snapshots
  readonly accounts: Accounts
  readonly etcFiles: EtcFiles
  readonly machine: SpecMachine
  readonly runtime: Pick<OciRuntime, 'root'>
  readonly runtimes: Pick<Runtimes, 'named'>
  readonly networks: Pick<Networks, 'network'>
  /** The endpoints through which the container leaves. */
  readonly ways: (container: Container, endpoints: readonly Endpoint[]) => Ways
  readonly paths: PathsOf
  readonly execRoot: string
  readonly cgroupParent: string
  /** Static init program for `--init`. */
  readonly initBinary: string
  /** Directory of the memory (v1) or unified (v2) cgroup for a cgroups path. */
  readonly cgroupDirectory: (cgroupsPath: string) => string
}

const SHM = '/dev/shm'

/** Writes OCI bundles: `config.json` and the generated files of /etc, and what the shim is told. */
export class OciBundles implements Bundles {
  readonly #deps: BundlesDeps

  constructor(deps: BundlesDeps) {
    this.#deps = deps
  }

  async write(
    container: Container,
    endpoints: readonly Endpoint[],
    sources: MountSources,
  ): Promise<ShimConfig> {
    const { snapshots, paths } = this.#deps
    const { spec, rootfs, runtime } = paths(container.id)
    const chosen = await this.#deps.runtimes.named(container.hostConfig.Runtime ?? '')
    const [root, wanted] = await Promise.all([
      snapshots.root(container.id, container.layers),
      this.#specInput(container, endpoints, chosen),
    ])
    const pins = await mountPins(container, sources, runtime, wanted.user)
    const shared = this.#sharedMemory(container, runtime)
    if (pins.size > 0 || shared.pins.length > 0) {
      await mkdir(join(runtime, 'pins'), { recursive: true, mode: 0o700 })
    }
    const mounts = wanted.mounts.map((mount) => placed(mount, container, sources, pins))
    const input = { ...wanted, mounts: [...mounts, ...shared.mounts] }
    await mkdir(rootfs, { recursive: true, mode: 0o755 })
    for (const share of sharedMounts(container, runtime)) await makeMountPoint(share)
    const prepared = await chosen.seccompFilters.prepare(buildSpec(input))
    await writeFile(spec, JSON.stringify(prepared.spec), { mode: 0o600 })
    const config = this.#shimConfig(container, endpoints, input, {
      ...root,
      rootfs,
      bundle: runtime,
      runtime: chosen.binary,
    })
    return { ...config, pins: [...pins.values(), ...shared.pins], seccompFilter: prepared.filter }
  }

  async #specInput(
    container: Container,
    endpoints: readonly Endpoint[],
    { timeNamespaces }: UsableRuntime,
  ): Promise<SpecInput> {
    const { machine, accounts, etcFiles, cgroupParent } = this.#deps
    const { hostConfig, config } = container
    const hostname = this.#hostname(container)
    this.#checkIpc(hostConfig.IpcMode ?? '')
    const [files, devices, etc] = await Promise.all([
      accounts.of(container),
      containerDevices(hostConfig),
      etcFiles.write(container, hostname, endpoints),
    ])
    return specInput(container, {
      user: resolveUser(config.User ?? '', files.passwd, files.group, hostConfig.GroupAdd ?? []),
      machine: { ...machine, timeNamespaces },
      mounts: [...etc, ...this.#mounts(container)],
      devices,
      cgroupsPath: cgroupsPath(container.id, hostConfig, cgroupParent),
      hostname,
      withoutIpv6: endpoints.filter(({ ipv6 }) => ipv6 === undefined).map(({ ifname }) => ifname),
      pidOf: (ref, namespace) => this.#pidOf(container, ref, namespace),
      deviceNumber: blockDeviceNumber,
    })
  }

  #mounts(container: Container): SpecMount[] {
    const { runtime } = this.#deps.paths(container.id)
    const shared = new Map(sharedMounts(container, runtime).map((share) => [share.source, share.destination]))
    const own = container.mounts.map(({ type, source, destination, options }) => ({
      type: type === 'tmpfs' ? ('tmpfs' as const) : ('bind' as const),
      source: type === 'tmpfs' ? 'tmpfs' : (shared.get(source) ?? source),
      destination,
      options,
    }))
    if (!usesInit(container.hostConfig)) return own
    const init: SpecMount = {
      type: 'bind',
      source: this.#deps.initBinary,
      destination: INIT_PATH,
      options: ['bind', 'ro'],
    }
    return [...own, init]
  }

  #shimConfig(
    container: Container,
    endpoints: readonly Endpoint[],
    input: SpecInput,
    root: Pick<ShimConfig, 'lower' | 'upper' | 'work' | 'rootfs' | 'bundle' | 'runtime'>,
  ): ShimConfig {
    const { runtime, paths, execRoot, machine, cgroupDirectory } = this.#deps
    const { id, config, hostConfig } = container
    const { log, exitRecord } = paths(id)
    return {
      id,
      runtimeRoot: runtime.root,
      ...root,
      volatile: hostConfig.AutoRemove === true,
      mtab: true,
      hide: join(execRoot, 'mnt'),
      tty: config.Tty === true,
      stdin: config.OpenStdin === true,
      stdinOnce: config.StdinOnce === true,
      log: shimLog(container, log),
      exitRecord,
      cgroup: { version: machine.cgroupVersion, directory: cgroupDirectory(input.cgroupsPath) },
      network: this.#network(container, endpoints, input),
      shares: sharedMounts(container, paths(id).runtime),
    }
  }

  #network(container: Container, endpoints: readonly Endpoint[], input: SpecInput): ShimNetwork {
    const mode = networkModeOf(container)
    if (mode === 'host') return { mode: 'host' }
    if (mode.startsWith('container:')) {
      return {
        mode: 'join',
        path: `/proc/${this.#pidOf(container, mode.slice('container:'.length), 'net')}/ns/net`,
      }
    }
    const own = container.attachments.flatMap(({ network, settings }) => {
      const ifname = endpoints.find((one) => one.network === network)?.ifname ?? ''
      return Object.entries(endpointSysctls(settings, ifname))
    })
    const sysctls = {
      ...splitSysctls(input.sysctls, input.namespaces).network,
      ...Object.fromEntries(own),
    }
    const ways = this.#deps.ways(container, endpoints)
    const [link, ...moreLinks] = endpoints.map((endpoint) => this.#link(endpoint, ways))
    return link === undefined ? { mode: 'none', sysctls } : { mode: 'new', sysctls, link, moreLinks }
  }

  #link(endpoint: Endpoint, ways: Ways): ShimLink {
    const network = this.#deps.networks.network(endpoint.networkId)
    if (network === undefined) throw noSuchNetwork(endpoint.network)
    return shimLink(network, endpoint, ways)
  }

  #hostname(joining: Container): string {
    const container = this.#networkOwner(joining)
    const { hostConfig, config } = container
    const mode = networkModeOf(container)
    if (config.Hostname !== undefined && config.Hostname !== null && config.Hostname !== '')
      return config.Hostname
    return mode === 'host' || hostConfig.UTSMode === 'host' ? machineName() : container.id.slice(0, 12)
  }

  /** Whose network a container has in the end. */
  #networkOwner(joining: Container): Container {
    const seen = new Set<string>()
    let owner = joining
    for (let mode = networkModeOf(owner); mode.startsWith('container:'); mode = networkModeOf(owner)) {
      if (seen.has(owner.id)) throw wrongState(joining.id, 'cannot join own network namespace')
      seen.add(owner.id)
      owner = this.#deps.registry.resolve(mode.slice('container:'.length))
    }
    return owner
  }

  /** Who joins an IPC namespace gets the /dev/shm of that container, unless something else is mounted there. */
  #sharedMemory(
    container: Container,
    runtime: string,
  ): { readonly pins: readonly ShimPin[]; readonly mounts: readonly SpecMount[] } {
    const mode = container.hostConfig.IpcMode ?? ''
    const taken = container.mounts.some(({ destination }) => destination === SHM || destination === '/dev')
    if (!mode.startsWith('container:') || taken) return { pins: [], mounts: [] }
    const place = join(runtime, 'pins', 'shm')
    const process = this.#pidOf(container, mode.slice('container:'.length), 'ipc')
    return {
      pins: [{ source: SHM, destination: place, process }],
      mounts: [{ type: 'bind', source: place, destination: SHM, options: ['rbind', 'rprivate'] }],
    }
  }

  /** Semaphores, queues and shared memory belong to the container that has them, unless it shares them. */
  #checkIpc(mode: string): void {
    if (!mode.startsWith('container:')) return
    const donor = this.#deps.registry.resolve(mode.slice('container:'.length))
    const { IpcMode } = donor.hostConfig
    if (IpcMode !== 'private' && IpcMode !== 'none') return
    throw new EngineError(
      'invalid_argument',
      `failed to join IPC namespace: container ${donor.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
      { code: 'CONTAINER_IPC_PRIVATE' },
    )
  }

  #pidOf(container: Container, ref: string, namespace: SharedNamespace | 'net'): number {
    const other = this.#deps.registry.resolve(ref)
    if (other.id === container.id)
      throw wrongState(
        container.id,
        `cannot join own ${namespace === 'net' ? 'network' : namespace} namespace`,
      )
    const run = runOf(other.state)
    if (run === undefined) throw donorNotRunning(other.id, namespace)
    return run.pid
  }
}

/** A mount of the container with the place where its files really are. */
function placed(
  mount: SpecMount,
  { mounts }: Container,
  sources: MountSources,
  pins: ReadonlyMap<string, ShimPin>,
): SpecMount {
  const own = mounts.find(
    ({ destination, source }) => destination === mount.destination && source === mount.source,
  )
  if (own === undefined) return mount
  const source = sources.get(own.destination)
  const options = source?.readOnly === true ? [...mount.options, 'ro'] : mount.options
  return { ...mount, options, source: pins.get(own.destination)?.destination ?? source?.path ?? mount.source }
}

/**
 * Binds that propagate back to the host or follow it. The shim's namespace is a slave of the host's, and knows nothing of
 * what was made shared there meanwhile; so it makes them apart, as members of the host's peer group, below the runtime
 * directory.
 */
function sharedMounts(container: Container, runtime: string): ShimConfig['shares'] {
  return container.mounts
    .filter(
      ({ propagation, options, idmap }) =>
        propagation.endsWith('shared') ||
        // What is pinned is apart already.
        (propagation.endsWith('slave') && !options.includes('bind') && idmap === undefined),
    )
    .map(({ source, propagation }, i) => ({
      source,
      destination: join(runtime, 'shares', String(i)),
      follows: propagation.endsWith('slave'),
    }))
}

/** A bind needs a place of its own kind: a directory for a directory, a file for anything else. */
async function makeMountPoint({ source, destination }: ShimConfig['shares'][number]): Promise<void> {
  await mkdir(dirname(destination), { recursive: true, mode: 0o700 })
  if ((await stat(source)).isDirectory()) await mkdir(destination, { recursive: true })
  else await writeFile(destination, '')
}
