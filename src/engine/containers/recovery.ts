import { join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import type { Networks } from '#network/networks.ts'
import type { Helper } from '#os/helper.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type { Shims } from '#runtime/shim.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Container } from './container.ts'
import type { Directories } from './directories.ts'
import type { Exits } from './exits.ts'
import { type PathsOf, runtimeDirectory } from './paths.ts'
import type { HealthMonitor } from './health-monitor.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Remains } from './remains.ts'
import type { Removal } from './removal.ts'
import { runOf } from './state.ts'
import type { Supervisor } from './supervisor.ts'
import type { TaskEnd } from './task.ts'

export interface RecoveryDeps {
  readonly registry: ContainerRegistry
  readonly supervisor: Supervisor
  readonly removal: Removal
  readonly exits: Exits
  readonly shims: Shims
  readonly helper: Helper
  readonly runtime: Pick<OciRuntime, 'root'>
  readonly remains: Pick<Remains, 'end'>
  readonly health: Pick<HealthMonitor, 'adopted'>
  readonly networks: Networks
  readonly snapshots: Snapshots
  readonly paths: PathsOf
  readonly directories: Directories
  readonly clock: Clock
  readonly execRoot: string
  readonly bootId: string
  readonly logger: Logger
}

const SIGKILL = 9

/**
 * Makes rows and world agree when the daemon starts. Idempotent, and safe to be killed at any point:
 *
 * | row           | shim answers          | shim is gone                                             |
 * |---------------|-----------------------|----------------------------------------------------------|
 * | running       | adopted               | exit record, else killed: the end is recorded            |
 * | not running   | a start that nobody was told about: ended                                       ||
 * | removing      | the removal is finished                                                         ||
 * | none          | ended, directory removed                                                        ||
 */
export async function recover(deps: RecoveryDeps): Promise<void> {
  const { registry } = deps
  await Promise.all(registry.all().map((container) => recoverContainer(deps, container)))
  await removeStrays(deps)
  await restart(deps)
}

async function recoverContainer(deps: RecoveryDeps, container: Container): Promise<void> {
  const { supervisor, shims, networks, removal, paths, health } = deps
  const run = runOf(container.state)
  if (run === undefined) {
    await endStray(deps, paths(container.id).runtime, container.id)
    if (container.state.status === 'removing') await removal.resume(container)
    return
  }
  const shim = await shims.connect(paths(container.id).runtime)
  if (shim === undefined) {
    await recordEnd(deps, container)
    return
  }
  if (run.endpoint !== undefined) {
    networks.adopt(container.id, run.endpoint)
    networks.adoptPublished(container.id, run.endpoint, run.ports)
  }
  const task = supervisor.adopt(container, shim)
  // Its whole history is replayed: after this an end that happened meanwhile has been recorded too.
  await Promise.race([task.started, task.gone])
  health.adopted(container.id)
}

/** The shim of a running container is gone: its exit record tells the end, or there is no telling. */
async function recordEnd(deps: RecoveryDeps, container: Container): Promise<void> {
  const { shims, paths, exits } = deps
  const run = runOf(container.state)
  if (run === undefined) return
  const record = await shims.exitRecord(paths(container.id).exitRecord)
  const known = record !== undefined && record.at.toISOString() >= run.startedAt
  await endStray(deps, paths(container.id).runtime, container.id)
  const end: TaskEnd = known
    ? { ...record, error: '' }
    : {
        code: 137,
        oomKilled: false,
        at: deps.clock.now(),
        error: 'the container ended together with its supervisor',
      }
  exits.ended(container, end)
}

/** Ends whatever lives for a container that is not to run, and removes its runtime directory. */
async function endStray(deps: RecoveryDeps, directory: string, id: string): Promise<void> {
  const { shims, helper, registry, remains, bootId } = deps
  const shim = await shims.connect(directory)
  if (shim !== undefined) {
    await shim.discard()
    await shim.kill('init', SIGKILL)
    for await (const _event of shim.watch());
  }
  const container = registry.get(id)
  const run = container === undefined ? undefined : runOf(container.state)
  if (run !== undefined && run.bootId === bootId) await helper.kill(run.pid, run.startTime, SIGKILL)
  if (container !== undefined) await remains.end(id, container.hostConfig)
  await deps.directories.remove(directory)
}

/** Runtime directories and snapshots of containers that nobody knows. */
async function removeStrays(deps: RecoveryDeps): Promise<void> {
  const { registry, execRoot, paths, snapshots, runtime, remains, directories, logger } = deps
  const root = runtimeDirectory(execRoot)
  const known = new Set(registry.all().map(({ id }) => paths(id).runtime))
  for (const name of await directories.list(root)) {
    const directory = join(root, name)
    if (known.has(directory)) continue
    logger.warn('ending what an unknown container left', { directory })
    await endStray(deps, directory, name)
  }
  for (const id of await directories.list(runtime.root)) {
    if (registry.get(id) === undefined) await remains.end(id)
  }
  for (const id of await snapshots.snapshots()) {
    if (registry.get(id) === undefined) await snapshots.remove(id)
  }
}

/** Containers whose policy wants them running, and those that were waiting for a restart. */
async function restart(deps: RecoveryDeps): Promise<void> {
  const { registry, exits } = deps
  for (const container of registry.all()) exits.resume(container)
}
