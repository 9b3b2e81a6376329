import { join } from 'node:path'
import type { Background } from '#base/background.ts'
import { systemClock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import { KeyedMutex } from '#base/mutex.ts'
import { Accounts } from '#engine/containers/accounts.ts'
import { Attachments } from '#engine/containers/attachments.ts'
import { OciBundles } from '#engine/containers/bundles.ts'
import { commitContainer, descendants, imageName } from '#engine/containers/container-images.ts'
import { Changes } from '#engine/containers/changes.ts'
import { Commits } from '#engine/containers/commits.ts'
import type { Container } from '#engine/containers/container.ts'
import { diskDirectories } from '#engine/containers/directories.ts'
import { EtcFiles } from '#engine/containers/etc-files.ts'
import { ContainerEvents } from '#engine/containers/events.ts'
import { execProcess } from '#engine/containers/exec-process.ts'
import { Files } from '#engine/containers/files.ts'
import { MountSourcesOf, volumeUser } from '#engine/containers/mount-sources.ts'
import { Mounts } from '#engine/containers/mounts.ts'
import { type PathsOf, containerPaths } from '#engine/containers/paths.ts'
import { Query } from '#engine/containers/query.ts'
import { recover } from '#engine/containers/recovery.ts'
import { ContainerRegistry } from '#engine/containers/registry.ts'
import { LiftedLimits } from '#engine/containers/lifted-limits.ts'
import { Remains } from '#engine/containers/remains.ts'
import { runOf } from '#engine/containers/state.ts'
import { Streams } from '#engine/containers/streams.ts'
import { TreeRoots } from '#engine/containers/tree-roots.ts'
import { Waiters } from '#engine/containers/waiters.ts'
import type { EventJournal } from '#engine/events/event-journal.ts'
import { Fsck } from '#engine/fsck/fsck.ts'
import { RegistryLayers } from '#engine/fsck/registry-layers.ts'
import { openImages, type Images } from '#engine/images/images.ts'
import { lastLines } from '#engine/logs/last-lines.ts'
import { RequestJournal } from '#engine/requests/request-journal.ts'
import { RequestRows } from '#store/requests.ts'
import { Why } from '#engine/containers/why.ts'
import { JsonFileLogs } from '#engine/logs/json-file-logs.ts'
import { Connections } from '#engine/networks/connections.ts'
import { ContainerNames } from '#engine/networks/container-names.ts'
import { LegacyLinks, linkedHosts } from '#engine/networks/legacy-links.ts'
import { NetworkEndpoints } from '#engine/networks/endpoints.ts'
import { hostGateways } from '#engine/networks/host-gateways.ts'
import { NetworkRegistry } from '#engine/networks/network-registry.ts'
import { UserNetworks } from '#engine/networks/networks.ts'
import { Pushes } from '#engine/push/push.ts'
import { Registries } from '#engine/registries/registries.ts'
import type { Engine } from '#engine/services.ts'
import { kernelSamples } from '#engine/stats/kernel-samples.ts'
import { Sampler } from '#engine/stats/sampler.ts'
import { accountFor } from '#engine/system/disk-account.ts'
import { knownObjects } from '#engine/system/known-objects.ts'
import { System } from '#engine/system/system.ts'
import { VolumeTransfers } from '#engine/volumes/volume-transfers.ts'
import { Volumes } from '#engine/volumes/volumes.ts'
import type { KernelNetworks } from '#network/kernel-networks.ts'
import { dockerPlugins } from '#engine/plugins/plugin-address.ts'
import { VolumePlugins } from '#engine/volumes/volume-plugins.ts'
import type { NameService } from '#network/names/name-service.ts'
import type { Cgroups } from '#os/cgroups/cgroups.ts'
import { detectedPlatform } from '#os/proc/host-platform.ts'
import { hostResolvConf } from '#os/proc/resolv-conf.ts'
import type { Helper } from '#os/helper.ts'
import type { Trees } from '#os/tree.ts'
import type { Machine } from '#runtime/machine.ts'
import { NativeShims } from '#runtime/native-shims.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type { Runtimes } from '#runtime/runtimes.ts'
import type { SelectedRuntime } from '#runtime/select.ts'
import type { RegistryClient } from '#registry/client/repository.ts'
import type { Registry } from '#registry/server/registry.ts'
import { ContainerRows } from '#store/containers.ts'
import type { Database } from '#store/db.ts'
import { NetworkRows } from '#store/networks.ts'
import type { DiskSnapshots } from '#store/snapshots/disk-snapshots.ts'
import { FileContent } from '#store/content/file-content.ts'
import type { SnapshotsProbe } from '#store/snapshots/probe-snapshots.ts'
import { VolumeRows } from '#store/volumes.ts'
import type { DaemonConfig } from './config.ts'
import { loggingOf } from './logging.ts'
import type { LiveConfig } from './reloading.ts'
import { factsOf } from './engine-facts.ts'
import { explanationsOf } from './explanations.ts'
import { assembleContainers, type ContainerServices } from './container-services.ts'
import type { Identity } from './identity.ts'
import { type AssembledBuilds, assembleBuilds } from './builds.ts'
import { twinInRegistry } from './own-registry.ts'
import { openPulls } from './pulls.ts'

/** What lies below the engine, started and checked. */
export interface Foundation {
  readonly config: DaemonConfig
  /** What may change while the engine runs. */
  readonly live: LiveConfig
  readonly logger: Logger
  readonly buildDir: string
  readonly helper: Helper
  readonly identity: Identity
  readonly db: Database
  readonly runtime: OciRuntime
  /** What containers may ask for. */
  readonly runtimes: Runtimes
  readonly selected: SelectedRuntime
  readonly machine: Machine
  readonly snapshots: DiskSnapshots
  readonly trees: Trees
  readonly probe: SnapshotsProbe
  readonly networks: KernelNetworks
  /** The resolver of containers on user-defined networks. */
  readonly names: NameService
  readonly background: Background
  readonly events: EventJournal
  readonly registryClient: RegistryClient
  /** The registry that this engine serves. */
  readonly ownRegistry: Registry | undefined
  readonly cgroups: Cgroups
  readonly bootId: string
}

export interface AssembledEngine {
  readonly engine: Engine
  /** Who asked for what. */
  readonly requests: RequestJournal
  /** Number of containers that have a process. */
  running(): number
  /** Removes what has been kept long enough; once a day. */
  expire(): Promise<void>
  /** Lets go of containers without touching them. */
  close(): Promise<void>
}

/** Puts the services together, bottom first, and makes rows and world agree. */
export async function assembleEngine(foundation: Foundation): Promise<AssembledEngine> {
  const base = baseOf(foundation)
  const images = await imagesOf(foundation, base)
  const pulls = await openPulls(foundation, images)
  const lifecycle = containersOf(foundation, base, images)
  const { connections, userNetworks } = networksOf(foundation, base, lifecycle)
  const { pushes, registries } = registriesOf(foundation, images)
  const building = await assembleBuilds(foundation, { ...base, images, pulls, pushes })
  const close = async (): Promise<void> => {
    await lifecycle.close()
    await base.forwarder.close()
    await building.close()
    await pushes[Symbol.asyncDispose]()
    await foundation.background.idle()
  }
  try {
    await base.volumes.recover()
    await userNetworks.recover()
    await recover({
      ...foundation,
      ...base,
      connections,
      ...lifecycle,
      clock: systemClock,
      directories: diskDirectories,
      execRoot: foundation.config.execRoot,
    })
  } catch (error) {
    // Containers that were taken over already would keep the process from ending.
    await close()
    throw error
  }
  return {
    engine: {
      lifecycle: lifecycle.lifecycle,
      execs: lifecycle.execs,
      images,
      pulls,
      pushes,
      registries,
      builds: building.builds,
      events: foundation.events,
      volumes: base.volumes,
      networks: userNetworks,
      volumeTransfers: new VolumeTransfers({
        ...foundation,
        volumes: base.volumes,
        rows: new VolumeRows(foundation.db),
      }),
      ...viewsOf(foundation, base, images, lifecycle, building),
    },
    requests: base.requests,
    running: () => base.registry.all().filter(({ state }) => runOf(state) !== undefined).length,
    expire: async () => {
      await pulls.expire()
      await building.expire()
    },
    close,
  }
}

function networksOf(foundation: Foundation, base: Base, { supervisor }: ContainerServices) {
  const connections = new Connections({ ...foundation, ...base, events: base.containerEvents })
  const known = base.knownNetworks
  const userNetworks = new UserNetworks({
    ...foundation,
    ...base,
    known,
    connections,
    clock: systemClock,
    supervisor,
    defaultOptions: foundation.config.networks.options,
  })
  return { connections, userNetworks }
}

type Base = ReturnType<typeof baseOf>

/** What everything about containers shares. */
function baseOf(foundation: Foundation) {
  const { db, config, events, helper, snapshots, trees } = foundation
  const { dataRoot, execRoot } = config
  const paths = containerPaths(dataRoot, execRoot)
  const registry = new ContainerRegistry(new ContainerRows(db), foundation.logger)
  const upper = (id: string): string => join(dataRoot, 'snapshots', id, 'upper')
  const volumes = volumesOf(foundation, registry)
  const { logger } = foundation
  const mountSources = new MountSourcesOf({ volumes, snapshots, events, paths, logger })
  const roots = new TreeRoots(snapshots, helper, paths, mountSources)
  const etcFiles = etcFilesOf(foundation, paths, registry)
  const locks = new KeyedMutex()
  const networking = networkingOf(foundation, { registry, locks, files: etcFiles })
  return {
    paths,
    registry,
    roots,
    upper,
    requests: new RequestJournal({
      rows: new RequestRows(db),
      logger,
      containerId: (ref) => registry.find(ref)?.id,
    }),
    ...loggingOf(foundation, paths),
    remains: new Remains({
      ...foundation,
      directories: diskDirectories,
      cgroupParent: config.cgroupParent,
    }),
    limits: new LiftedLimits({ ...foundation, cgroupParent: config.cgroupParent }),
    shims: new NativeShims(helper),
    locks,
    waiters: new Waiters(),
    attachments: new Attachments(),
    containerEvents: new ContainerEvents(events, (id) => networking.knownNetworks.driverOf(id)),
    volumes,
    mountSources,
    accounts: new Accounts({ snapshots, trees, helper, roots, upper }),
    etcFiles,
    ...networking,
  }
}

/** What decides who is on which network, and under which names. */
function networkingOf(
  { db, networks, names: service, identity, logger }: Foundation,
  of: { readonly registry: ContainerRegistry; readonly locks: KeyedMutex; readonly files: EtcFiles },
) {
  const { registry } = of
  const links = new LegacyLinks({ ...of, networks, logger })
  const knownNetworks = new NetworkRegistry({
    rows: new NetworkRows(db),
    logger,
    bridge: () => networks.bridge,
    ids: identity.networks,
    createdAt: identity.createdAt,
  })
  return {
    knownNetworks,
    endpoints: new NetworkEndpoints({ networks, known: knownNetworks, registry }),
    links,
    names: new ContainerNames({ service, known: knownNetworks, links }),
  }
}

function etcFilesOf({ networks, config }: Foundation, paths: PathsOf, registry: ContainerRegistry): EtcFiles {
  return new EtcFiles({
    paths,
    registry,
    hostResolvConf: () => hostResolvConf(),
    hostGateways: () => hostGateways(networks.bridge, config.networks.hostGateways),
    linked: (container) => linkedHosts(registry, container),
  })
}

function volumesOf(foundation: Foundation, registry: ContainerRegistry): Volumes {
  const { dataRoot, execRoot } = foundation.config
  return new Volumes({
    ...foundation,
    rows: new VolumeRows(foundation.db),
    dataRoot,
    // Below what shims let go of: each keeps the volumes of its own container alone.
    mountRoot: join(execRoot, 'mnt', 'volumes'),
    plugins: new VolumePlugins(dockerPlugins),
    describeUser: (id, volume) => {
      const container = registry.get(id)
      return container === undefined ? undefined : volumeUser(container, volume)
    },
  })
}

async function imagesOf(
  { db, config, events, snapshots, logger, ownRegistry }: Foundation,
  { registry }: Base,
) {
  const { dataRoot } = config
  const twinOf = ownRegistry === undefined ? undefined : twinInRegistry(dataRoot)
  const content = new FileContent({ dataRoot, twinOf })
  await content.recover()
  const images = openImages({
    db,
    content,
    snapshots,
    events,
    inUse: (imageId) =>
      registry.usingImage(imageId).map(({ id, state }) => ({ id, running: runOf(state) !== undefined })),
    logger,
    clock: Date.now,
  })
  await images.recover()
  return images
}

function registriesOf(
  { registryClient: client, config }: Foundation,
  { store }: Images,
): { readonly pushes: Pushes; readonly registries: Registries } {
  const { pushCompression: compression, maxUploads } = config.transfers
  return {
    pushes: new Pushes({ store, client, compression, maxUploads }),
    registries: new Registries(client),
  }
}

function containersOf(foundation: Foundation, base: Base, images: Images): ContainerServices {
  const { machine, snapshots, trees, helper } = foundation
  const { volumes, accounts, containerEvents: events } = base
  return assembleContainers({
    ...foundation,
    ...base,
    events,
    clock: systemClock,
    directories: diskDirectories,
    settings: () => foundation.live.current.containers,
    bundles: bundlesOf(foundation, base),
    images,
    mounts: new Mounts({ volumes, images, snapshots, trees, helper }),
    platform: detectedPlatform(),
    dataRoot: foundation.config.dataRoot,
    execProcess: execProcess(accounts, machine),
    imagesReleased: () => images.released(),
  })
}

function bundlesOf(
  { networks, snapshots, runtime, runtimes, machine, config, buildDir, cgroups }: Foundation,
  base: Base,
): OciBundles {
  const { registry, paths, accounts, etcFiles, endpoints } = base
  return new OciBundles({
    registry,
    snapshots,
    accounts,
    machine,
    runtime,
    runtimes,
    paths,
    etcFiles,
    networks,
    ways: (container, onNetworks) => endpoints.ways(container, onNetworks),
    execRoot: config.execRoot,
    cgroupParent: config.cgroupParent,
    initBinary: join(buildDir, 'berth-init'),
    cgroupDirectory: (path) => cgroups.directory(path),
  })
}

/** Everything that looks, or reads and writes files of containers. */
function viewsOf(
  foundation: Foundation,
  base: Base,
  images: Images,
  containers: ContainerServices,
  building: AssembledBuilds,
): Pick<Engine, 'streams' | 'files' | 'query' | 'system' | 'fsck' | 'explanations' | 'why'> {
  const { logger } = foundation
  const { registry, paths, attachments, containerEvents: events } = base
  const { supervisor } = containers
  const query = queryOf(foundation, base, images, containers)
  const logs = new JsonFileLogs({ logger })
  return {
    streams: new Streams({
      registry,
      supervisor,
      attachments,
      events,
      logs,
      logFile: (id) => paths(id).log,
    }),
    files: filesOf(foundation, base, images, containers),
    query,
    why: new Why({
      registry,
      events: foundation.events,
      requests: base.requests,
      lastLines: (container, count) => lastLines(logs, container, paths(container.id).log, count),
    }),
    explanations: explanationsOf({
      ...foundation,
      ...base,
      processes: (container) => processesOf(foundation.cgroups, container),
    }),
    system: systemOf(foundation, base, images, query, building),
    fsck: fsckOf(foundation, base, images, building),
  }
}

function filesOf(
  { trees, runtime }: Foundation,
  { registry, roots, accounts, locks, upper, containerEvents: events }: Base,
  images: Images,
  { supervisor }: ContainerServices,
): Files {
  return new Files({
    registry,
    locks,
    roots,
    trees,
    accounts,
    events,
    ended: (id) => supervisor.running(id)?.exited ?? Promise.resolve(),
    commits: new Commits({
      registry,
      locks,
      runtime,
      trees,
      upper,
      events,
      commitImage: (image) => commitContainer(images, image),
    }),
  })
}

function systemOf(
  foundation: Foundation,
  { registry, volumes }: Base,
  images: Images,
  containers: ReturnType<typeof queryOf>,
  { builds, steps }: AssembledBuilds,
): System {
  const { db, config, snapshots } = foundation
  return new System({
    registry,
    containers,
    images,
    snapshots,
    volumes,
    builds,
    account: () => accountFor(config.dataRoot, knownObjects({ db, registry, images: images.store, steps })),
    facts: factsOf(foundation),
    loggingDriver: () => foundation.live.current.containers.log.driver,
    eventListeners: () => foundation.events.followers,
    labels: () => foundation.live.current.labels,
  })
}

function fsckOf(foundation: Foundation, base: Base, images: Images, { steps }: AssembledBuilds): Fsck {
  const { db, config, snapshots, helper, registryClient, ownRegistry, logger } = foundation
  const { registry, locks } = base
  return new Fsck({
    db,
    registry,
    locks,
    snapshots,
    helper,
    dataRoot: config.dataRoot,
    images: images.store,
    layerSource: new RegistryLayers(registryClient, logger),
    ownRegistry,
    known: () => knownObjects({ db, registry, images: images.store, steps }),
    clock: Date.now,
  })
}

function queryOf(
  { helper, snapshots, trees, cgroups, logger }: Foundation,
  { registry, paths, upper, knownNetworks, containerEvents: events }: Base,
  images: Images,
  { supervisor, execs, health }: ContainerServices,
): Query {
  return new Query({
    events,
    registry,
    snapshots,
    helper,
    paths,
    upper,
    changes: new Changes({ snapshots, trees, helper, upper }),
    stats: new Sampler({ read: kernelSamples(cgroups), logger }),
    networkId: (name) => knownNetworks.named(name)?.id ?? '',
    execsOf: (id) => execs.openIn(id),
    healthOf: (id) => health.of(id),
    imageName: (container) => imageName(images, container),
    descendants: (reference) => descendants(images, registry, reference),
    processes: (container) => processesOf(cgroups, container),
    ended: (id) => supervisor.running(id)?.exited ?? Promise.resolve(),
  })
}

/** Of the container's own group; one that shares nothing but its first process has at least that. */
async function processesOf(cgroups: Cgroups, { state }: Container): Promise<readonly number[]> {
  const run = runOf(state)
  if (run === undefined) return []
  return (await (await cgroups.of(run.pid))?.processes()) ?? []
}
