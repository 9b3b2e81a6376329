import { availableParallelism } from 'node:os'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#base/clock.ts'
import { Slots } from '#base/slots.ts'
import { openBelow } from '#build/files/files-below.ts'
import { LayerFiles } from '#build/files/layer-files.ts'
import { Solver } from '#build/solve/solver.ts'
import { Downloads } from '#build/sources/download.ts'
import { GitCheckouts } from '#build/sources/git-checkouts.ts'
import { LayerDigests } from '#build/sources/layer-digests.ts'
import { openLayers } from '#build/sources/layers-source.ts'
import { ReceivedContexts } from '#build/sources/received-contexts.ts'
import { SourceCaches } from '#build/sources/source-caches.ts'
import { Spool } from '#build/sources/source-copies.ts'
import { Artifacts } from '#engine/builds/artifacts.ts'
import { hostGateways } from '#engine/networks/host-gateways.ts'
import { Builds, type BuildsDeps } from '#engine/builds/builds.ts'
import { CacheUpkeep } from '#engine/builds/cache/cache-upkeep.ts'
import { CacheMounts } from '#engine/builds/run/cache-mounts.ts'
import { ShimSteps } from '#engine/builds/run/shim-steps.ts'
import { Sessions } from '#engine/builds/sessions.ts'
import type { PathsOf } from '#engine/containers/paths.ts'
import { diskDirectories } from '#engine/containers/directories.ts'
import type { Remains } from '#engine/containers/remains.ts'
import type { Images } from '#engine/images/images.ts'
import type { Pulls } from '#engine/pull/pulls.ts'
import type { Pushes } from '#engine/push/push.ts'
import { hostResolvConf } from '#os/proc/resolv-conf.ts'
import type { Shims } from '#runtime/shim.ts'
import { BuildCache } from '#store/build-cache/build-cache.ts'
import { FileDigestRows } from '#store/file-digests.ts'
import type { Foundation } from './engine.ts'

export interface BuildsParts {
  readonly images: Images
  readonly pulls: Pulls
  readonly pushes: Pushes
  readonly shims: Shims
  readonly remains: Remains
  readonly paths: PathsOf
}

export interface AssembledBuilds {
  readonly builds: Builds
  readonly cache: BuildCache
  /** Ids of the steps that have something on the disk right now. */
  readonly steps: () => ReadonlySet<string>
  /** Removes what has been kept long enough; once a day. */
  expire(): Promise<void>
  close(): Promise<void>
}

/** Puts together what builds need. Nothing of what a daemon that was killed had begun is left when it resolves. */
export async function assembleBuilds(foundation: Foundation, parts: BuildsParts): Promise<AssembledBuilds> {
  const { config, helper, trees, db, background, logger } = foundation
  const { images } = parts
  const { dataRoot } = config
  const clock = systemClock
  const spool = new Spool({ dataRoot, helper, trees })
  const caches = new CacheMounts({ dataRoot, trees, helper, clock, logger })
  // Sockets that led to agents of clients.
  const sockets = join(config.execRoot, 'agents')
  await Promise.all([spool.recover(), caches.recover(), rm(sockets, { recursive: true, force: true })])
  const environment = process.env
  const cache = cacheOf(foundation, images)
  const runner = stepsOf(foundation, parts, caches)
  const solver = solverOf(foundation, spool, runner, cache)
  const artifacts = new Artifacts({ clock, background })
  const contexts = new ReceivedContexts({ dataRoot, helper, copies: spool, clock })
  const sessions = new Sessions({ contexts, clock, background, sockets })
  const downloads = new Downloads({ dataRoot, helper, spool, environment, clock })
  const checkouts = new GitCheckouts({ dataRoot, helper, clock })
  const sources = new SourceCaches({ downloads, checkouts, contexts })
  const upkeep = new CacheUpkeep({
    limit: config.builder.keepStorage,
    cache,
    mounts: caches,
    sources,
    dataRoot,
    clock,
  })
  const builds = new Builds({
    ...parts,
    helper,
    trees,
    spool,
    environment,
    clock,
    background,
    solver,
    cache,
    sessions,
    artifacts,
    upkeep,
    caches: cachesOf(foundation, parts, cache),
    downloads,
    checkouts,
    digests: new FileDigestRows(db, clock),
    entitlements: config.builder.entitlements,
  })
  return {
    builds,
    cache,
    steps: () => runner.running,
    expire: async () => void (await upkeep.collect()),
    close: async () => {
      await sessions.close()
      await artifacts[Symbol.asyncDispose]()
    },
  }
}

/** What brings caches of others, and takes ours to them. */
function cachesOf(
  { registryClient: registry, snapshots }: Foundation,
  { images: { store }, pulls: { layers }, pushes: publisher }: BuildsParts,
  cache: BuildCache,
): BuildsDeps['caches'] {
  return { registry, layers, store, publisher, cache, snapshots }
}

function cacheOf({ db, snapshots }: Foundation, { store }: Images): BuildCache {
  return new BuildCache({
    db,
    snapshots,
    pins: store.collector,
    discard: (garbage) => store.collector.discard(garbage),
    clock: systemClock,
  })
}

function solverOf(foundation: Foundation, spool: Spool, runner: ShimSteps, cache: BuildCache): Solver {
  const clock = systemClock
  const digests = new LayerDigests()
  const deps = { ...foundation, clock, digests }
  return new Solver({
    runner,
    files: new LayerFiles({ ...foundation, spool, below: (layers) => openBelow(layers, deps) }),
    cache,
    openLayers: (layers, name) => openLayers(layers, name, deps),
    slots: new Slots(Math.max(2, availableParallelism()) * STEPS_PER_CPU),
    clock,
  })
}

/** Steps mostly wait: for a network, a disk, a lock. */
const STEPS_PER_CPU = 2

function stepsOf(
  { config, machine, runtime, runtimes, cgroups, networks, helper, snapshots, trees, logger }: Foundation,
  { shims, remains, paths }: BuildsParts,
  caches: CacheMounts,
): ShimSteps {
  return new ShimSteps({
    helper,
    snapshots,
    trees,
    networks,
    caches,
    machine,
    runtime,
    runtimes,
    shims,
    remains,
    paths,
    logger,
    clock: systemClock,
    execRoot: config.execRoot,
    directories: diskDirectories,
    cgroupParent: config.cgroupParent,
    cgroupDirectory: (path) => cgroups.directory(path),
    hostResolvConf: () => hostResolvConf(),
    hostGateways: () => hostGateways(networks.bridge, config.networks.hostGateways),
  })
}
