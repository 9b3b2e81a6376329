import { basename, join } from 'node:path'
import { type Clock, settlesWithin } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import type { Networks } from '#network/networks.ts'
import type { Helper } from '#os/helper.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type { Shim, Shims } from '#runtime/shim.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Connections } from '../networks/connections.ts'
import type { ContainerNames } from '../networks/container-names.ts'
import type { Volumes } from '../volumes/volumes.ts'
import type { Container } from './container.ts'
import type { Directories } from './directories.ts'
import type { Exits } from './exits.ts'
import { prepareRoot } from './generated-places.ts'
import type { HealthMonitor } from './health-monitor.ts'
import type { LogDrivers } from './log-drivers.ts'
import type { MountSourcesOf } from './mount-sources.ts'
import { type PathsOf, runtimeDirectory } from './paths.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Remains } from './remains.ts'
import type { Removal } from './removal.ts'
import type { Restarts } from './restarts.ts'
import { runOf, startedOf } from './state.ts'
import type { Endpoints, Names, Supervisor } from './supervisor.ts'
import { SHIM_PATIENCE, type TaskEnd } from './task.ts'

export interface RecoveryDeps {
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly supervisor: Supervisor
  readonly removal: Removal
  readonly restarts: Pick<Restarts, 'begin' | 'scheduleInOrder'>
  readonly exits: Exits
  readonly shims: Shims
  readonly helper: Helper
  readonly runtime: Pick<OciRuntime, 'root' | 'pause' | 'resume'>
  readonly remains: Pick<Remains, 'end'>
  readonly health: Pick<HealthMonitor, 'adopted'>
  readonly logDrivers: Pick<LogDrivers, 'started'>
  readonly networks: Networks
  readonly endpoints: Pick<Endpoints, 'target'>
  readonly names: Names & Pick<ContainerNames, 'adopt' | 'adopted'>
  readonly connections: Pick<Connections, 'recover'>
  readonly snapshots: Snapshots
  readonly volumes: Pick<Volumes, 'abandoned'>
  readonly mountSources: Pick<MountSourcesOf, 'adopt' | 'ended'>
  readonly paths: PathsOf
  readonly directories: Directories
  readonly clock: Clock
  readonly execRoot: string
  readonly bootId: string
  readonly logger: Logger
}

const SIGKILL = 9

/**
 * Makes rows and world agree when the daemon starts. Idempotent, and safe to be killed at any point. What cannot be made
 * right with one container is said and keeps neither the others nor the daemon from starting.
 *
 * | row              | shim answers          | shim is gone                                             |
 * |------------------|-----------------------|----------------------------------------------------------|
 * | running          | adopted               | exit record, else killed: the end is recorded            |
 * | not running      | a start that nobody was told about: ended                                       ||
 * | being removed    | ended, and the removal is finished                                              ||
 * | unreadable       | left as it is                                                                   ||
 * | none             | ended, directory removed                                                        ||
 *
 * No container is started before all of this is done: its address could still belong to another one.
 */
export async function recover(deps: RecoveryDeps): Promise<void> {
  const { registry, runtime, directories, restarts, exits } = deps
  const leftovers = new Set(await directories.list(runtime.root))
  await endStrays(deps, leftovers)
  const unfinished = await unfinishedStarts(deps)
  const live = registry.all().filter(({ state }) => runOf(state) !== undefined)
  await deps.names.adopt(new Set(live.map(({ id }) => id)))
  await Promise.all(registry.all().map((container) => guarded(deps, container, leftovers)))
  await deps.names.adopted()
  for (const container of unfinished) await deps.mountSources.ended(container)
  await recoverSnapshots(deps)
  restarts.begin()
  // All are known to be waiting before the first one looks for whom to wait.
  const wanted = registry.all().filter((container) => exits.resume(container))
  for (const { id } of wanted) restarts.scheduleInOrder(id)
}

async function guarded(
  deps: RecoveryDeps,
  container: Container,
  leftovers: ReadonlySet<string>,
): Promise<void> {
  try {
    await recoverContainer(deps, container, leftovers)
  } catch (error) {
    deps.logger.error('a container could not be recovered', { container: container.id, error })
  }
}

async function recoverContainer(
  deps: RecoveryDeps,
  container: Container,
  leftovers: ReadonlySet<string>,
): Promise<void> {
  const { shims, removal, paths } = deps
  const { id, state } = container
  const directory = paths(id).runtime
  // Its row could not be read: whatever it does, it does until it is removed.
  if (state.status === 'dead') return
  if (container.removal !== undefined) {
    await endStray(deps, directory, container, leftovers)
    if (runOf(state) !== undefined) await deps.mountSources.ended(container)
    await removal.resume(container)
    return
  }
  if (runOf(state) === undefined) {
    await endStray(deps, directory, container, leftovers)
    // What was written while nobody was there to send it.
    deps.logDrivers.started(container)
    return
  }
  const shim = await shims.connect(directory)
  if (shim === undefined) await recordEnd(deps, container, leftovers)
  else await adopt(deps, container, shim)
}

async function adopt(deps: RecoveryDeps, container: Container, shim: Shim): Promise<void> {
  const { supervisor, health, logDrivers, clock, logger } = deps
  adoptNetwork(deps, container)
  await adoptNames(deps, container)
  await deps.mountSources.adopt(container, runOf(container.state)?.shimPid ?? 0)
  const task = supervisor.adopt(container, shim)
  // Its whole history is replayed: after this an end that happened meanwhile has been recorded too.
  const replayed = Promise.allSettled([Promise.race([task.started, task.gone])])
  if (!(await settlesWithin(clock, SHIM_PATIENCE, replayed))) {
    logger.warn('the supervisor of a container does not answer', { container: container.id })
  }
  await refreeze(deps, container)
  health.adopted(container.id)
  logDrivers.started(container, task.exited)
}

/** A container whose address was given away meanwhile is still one that runs. */
function adoptNetwork({ networks, endpoints, logger }: RecoveryDeps, container: Container): void {
  const { id, state } = container
  const run = runOf(state)
  if (run === undefined) return
  try {
    for (const endpoint of run.endpoints) networks.adopt(id, endpoint)
    const target = endpoints.target(container, run.endpoints)
    if (target !== undefined) networks.adoptPublished(id, target, run.ports)
  } catch (error) {
    logger.error('the address of a container cannot be taken over', { container: id, error })
  }
}

async function adoptNames({ names, connections, logger }: RecoveryDeps, container: Container): Promise<void> {
  const { id, state } = container
  const run = runOf(state)
  if (run === undefined) return
  try {
    const settled = run.endpoints.filter(({ pending }) => pending === undefined)
    await names.join(container, settled, run.shimPid)
    await connections.recover(id)
  } catch (error) {
    logger.error('the connections of a container cannot be taken over', { container: id, error })
  }
}

/** The former daemon may have been killed between freezing or thawing and its row: the row counts. */
async function refreeze({ registry, runtime, logger }: RecoveryDeps, { id }: Container): Promise<void> {
  const { state } = registry.resolve(id)
  if (runOf(state) === undefined) return
  try {
    const container = startedOf({ id, state })
    await (state.status === 'paused' ? runtime.pause(container) : runtime.resume(container))
  } catch (error) {
    // That is what runtimes say when it is so already.
    logger.debug('the container is as it should be', { container: id, status: state.status, error })
  }
}

/** The shim of a running container is gone: its exit record tells the end, or there is no telling. */
async function recordEnd(
  deps: RecoveryDeps,
  container: Container,
  leftovers: ReadonlySet<string>,
): Promise<void> {
  const { shims, paths, exits, clock, bootId } = deps
  const run = runOf(container.state)
  if (run === undefined) return
  const record = await shims.exitRecord(paths(container.id).exitRecord)
  // A start removes the record of the life before; a power cut may bring it back.
  const known = record !== undefined && (run.bootId === bootId || record.at.toISOString() >= run.startedAt)
  await endStray(deps, paths(container.id).runtime, container, leftovers)
  const end: TaskEnd = known
    ? { ...record, error: '' }
    : {
        code: 137,
        oomKilled: false,
        at: clock.now(),
        error: 'the container ended together with its supervisor',
      }
  // Plugins count their users.
  await deps.mountSources.ended(container)
  exits.ended(container, end)
}

/** Ends whatever lives for a container that is not to run, and removes its runtime directory. */
async function endStray(
  deps: RecoveryDeps,
  directory: string,
  container: Container,
  leftovers: ReadonlySet<string>,
): Promise<void> {
  const { helper, remains, bootId, directories } = deps
  const run = runOf(container.state)
  await endShim(deps, directory)
  const sameBoot = run?.bootId === bootId
  if (run !== undefined && sameBoot) await helper.kill(run.pid, run.startTime, SIGKILL)
  // Asked for those alone that have left something: a runtime's call for each of many stopped containers would take long.
  if (sameBoot || leftovers.has(container.id)) await remains.end(startedOf(container), container.hostConfig)
  await directories.remove(directory)
}

/** Ends the shim in a directory with its process. One that does not answer is left to whoever ends its remains. */
async function endShim({ shims, clock, logger }: RecoveryDeps, directory: string): Promise<void> {
  const shim = await shims.connect(directory)
  if (shim === undefined) return
  await shim.discard()
  await shim.kill('init', SIGKILL)
  const over = new AbortController()
  if (!(await settlesWithin(clock, SHIM_PATIENCE, drained(shim, over.signal)))) {
    logger.warn('the supervisor of a container does not end', { directory })
  }
  over.abort()
}

async function drained(shim: Shim, signal: AbortSignal): Promise<void> {
  for await (const _event of shim.watch({ signal }));
}

/** A start that was not finished has a runtime directory, and may have asked plugins to mount. */
async function unfinishedStarts(deps: RecoveryDeps): Promise<Container[]> {
  const { registry, paths, directories, execRoot } = deps
  const begun = new Set(await directories.list(runtimeDirectory(execRoot)))
  return registry
    .all()
    .filter(({ id, state }) => runOf(state) === undefined && begun.has(basename(paths(id).runtime)))
}

/** What lives for containers that nobody knows. */
async function endStrays(deps: RecoveryDeps, leftovers: ReadonlySet<string>): Promise<void> {
  const { registry, execRoot, paths, remains, directories, logger } = deps
  const root = runtimeDirectory(execRoot)
  const known = new Set(registry.all().map(({ id }) => paths(id).runtime))
  for (const name of await directories.list(root)) {
    const directory = join(root, name)
    if (known.has(directory)) continue
    logger.warn('ending what an unknown container left', { directory })
    await endShim(deps, directory)
    await directories.remove(directory)
  }
  for (const id of leftovers) {
    if (registry.get(id) === undefined) await remains.end({ id, runtime: undefined })
  }
}

/** Every container has its snapshot, and no other one is there. */
async function recoverSnapshots(deps: RecoveryDeps): Promise<void> {
  const { registry, snapshots, volumes } = deps
  const there = new Set(await snapshots.snapshots())
  for (const id of there) {
    if (registry.get(id) !== undefined) continue
    // A creation that was not finished; the snapshot, made first, goes last.
    await volumes.abandoned(id)
    await snapshots.remove(id)
  }
  for (const { id } of registry.all()) {
    if (!there.has(id)) await prepareAgain(deps, id)
  }
}

/** Directories are not synced: after a power cut one may be missing. The container is as it was created then. */
async function prepareAgain({ registry, locks, snapshots, logger }: RecoveryDeps, id: string): Promise<void> {
  // A container whose end has just been recorded may be removed meanwhile, its snapshot first.
  using _lock = await locks.acquire(id)
  const container = registry.get(id)
  if (container === undefined || container.removal !== undefined || container.state.status === 'dead') return
  try {
    await prepareRoot(snapshots, container)
    logger.warn('the files of a container were lost; it begins anew from its image', { container: id })
  } catch (error) {
    logger.error('the files of a container were lost, and its image cannot be used', { container: id, error })
  }
}
