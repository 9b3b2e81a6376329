import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { EngineError, isKind } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { Helper } from '#os/helper.ts'
import { type NativeHelper, startHelper } from '#os/native-helper.ts'
import { NativeTrees } from '#os/native-trees.ts'
import { type Machine, readMachine } from '#runtime/machine.ts'
import { OciRuntime } from '#runtime/oci-runtime.ts'
import { runtimeCommand } from '#runtime/runtime-command.ts'
import { executable, Runtimes, scriptsDirectory } from '#runtime/runtimes.ts'
import { type SelectedRuntime, selectRuntime, type WantedRuntime } from '#runtime/select.ts'
import { DiskSnapshots } from '#store/snapshots/disk-snapshots.ts'
import { type SnapshotsProbe, probeSnapshots } from '#store/snapshots/probe-snapshots.ts'
import type { DaemonConfig } from './config.ts'

/** The longest path of a shim's socket below the exec root: `/c/<32 digits>/sock`. */
const SOCKET_SUFFIX = 40
const MAX_SOCKET_PATH = 107

/** Makes the two roots, private to their owner (CVE-2021-41091: nobody walks into a layer). */
export async function makeRoots({ dataRoot, execRoot }: DaemonConfig): Promise<void> {
  if (Buffer.byteLength(execRoot) + SOCKET_SUFFIX > MAX_SOCKET_PATH) {
    throw new EngineError(
      'invalid_argument',
      `--exec-root ${execRoot} is too long for unix sockets below it: at most ${MAX_SOCKET_PATH - SOCKET_SUFFIX} bytes`,
      { code: 'EXEC_ROOT_TOO_LONG' },
    )
  }
  await mkdir(dataRoot, { recursive: true, mode: 0o700 })
  await mkdir(execRoot, { recursive: true, mode: 0o711 })
}

/** The helper, holding the lock of the data root: a second daemon on it is refused. */
export async function startLockedHelper(
  { dataRoot, execRoot }: DaemonConfig,
  buildDir: string,
  logger: Logger,
): Promise<NativeHelper> {
  await using starting = new AsyncDisposableStack()
  const helper = starting.use(await startHelper({ execRoot, buildDir, logger }))
  await helper.lock(join(dataRoot, 'lock'))
  starting.move()
  return helper
}

export interface ChosenRuntime {
  readonly runtime: OciRuntime
  readonly runtimes: Runtimes
  readonly selected: SelectedRuntime
  readonly machine: Machine
}

/** Reads the machine's facts and picks the OCI runtime that works on it. */
export async function chooseRuntime(
  helper: Helper,
  live: { readonly current: DaemonConfig },
  logger: Logger,
): Promise<ChosenRuntime> {
  const { execRoot, dataRoot, runtime: wanted, runtimes: configured } = live.current
  const scripts = scriptsDirectory(dataRoot)
  const facts = await readMachine()
  const hybridControllers = await releaseHugetlb(helper, facts, logger)
  const selected = await selectRuntime({
    run: (argv) => helper.run(argv),
    hybridControllers,
    wanted: wanted === 'auto' ? undefined : await wantedRuntime(wanted, configured, scripts),
  })
  logger.info('runtime chosen', {
    runtime: selected.path,
    version: selected.version,
    reason: selected.reason,
  })
  for (const warning of selected.warnings) logger.warn(warning)
  const binary = await executable(helper, selected.path)
  return {
    selected,
    runtime: new OciRuntime(helper, { binary, root: join(execRoot, 'runtime') }),
    runtimes: new Runtimes({
      helper,
      selected,
      binary,
      configured: () => live.current.runtimes,
      hybridControllers,
      filters: join(execRoot, 'seccomp'),
      scripts,
    }),
    machine: { ...facts, timeNamespaces: selected.timeNamespaces },
  }
}

/** `default-runtime` is a name of the configuration, or what it is executed as. */
async function wantedRuntime(
  name: string,
  configured: DaemonConfig['runtimes'],
  scripts: string,
): Promise<WantedRuntime> {
  const own = Object.hasOwn(configured, name) ? configured[name] : undefined
  return own === undefined ? { path: name } : { name, path: await runtimeCommand(scripts, own) }
}

/** How long, in milliseconds, the kernel is given to take back what a former daemon's last container had. */
const HUGETLB_PATIENCE = 2000

/**
 * crun wants the v2 hierarchy without controllers where v1 is in use; hugetlb alone can be had back. Done also when v2 has
 * none right now: whoever holds hugetlb (another engine, for one) may give it back at any moment.
 */
async function releaseHugetlb(helper: Helper, machine: Machine, logger: Logger): Promise<readonly string[]> {
  const { cgroupVersion, hybridControllers } = machine
  if (cgroupVersion === 'v2' || hybridControllers.some((name) => name !== 'hugetlb')) return hybridControllers
  const deadline = Date.now() + HUGETLB_PATIENCE
  for (;;) {
    try {
      await helper.mountCgroupHugetlb()
      return []
    } catch (error) {
      // EBUSY passes: a hierarchy that was just given up is taken down by the kernel in its own time.
      if (isKind(error, 'conflict') && Date.now() < deadline) {
        await delay(20)
        continue
      }
      if (hybridControllers.length > 0) logger.warn('the hugetlb controller stays with cgroup v2', { error })
      return hybridControllers
    }
  }
}

export interface Storage {
  readonly snapshots: DiskSnapshots
  readonly trees: NativeTrees
  readonly probe: SnapshotsProbe
}

/** Opens the snapshots of a data root in the form this kernel allows. */
export async function openStorage(
  helper: Helper,
  config: DaemonConfig,
  buildDir: string,
  logger: Logger,
): Promise<Storage> {
  const { dataRoot, execRoot } = config
  const trees = new NativeTrees(buildDir)
  const probe = await probed(helper, config)
  const snapshots = new DiskSnapshots({ dataRoot, execRoot, helper, trees, logger, driver: probe.driver })
  await snapshots.recover()
  logger.info('storage opened', { driver: probe.driver, reason: probe.reason })
  return { snapshots, trees, probe }
}

async function probed(
  helper: Helper,
  { storageDriver, dataRoot, execRoot }: DaemonConfig,
): Promise<SnapshotsProbe> {
  switch (storageDriver) {
    case 'directory':
      return { driver: 'directory', reason: 'asked for' }
    // What dockerd's drivers of these names do is done here, too.
    case 'overlay2':
    case 'overlayfs':
    case 'auto':
    case 'erofs': {
      const probe = await probeSnapshots({ dataRoot, execRoot, helper })
      if (storageDriver !== 'erofs' || probe.driver === 'erofs') return probe
      throw new EngineError('unavailable', `--storage-driver erofs: ${probe.reason}`, {
        code: 'STORAGE_UNAVAILABLE',
      })
    }
    default:
      throw new EngineError('invalid_argument', `unknown storage driver "${storageDriver}"`, {
        code: 'CONFIG_INVALID',
      })
  }
}
