import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '#base/digest.ts'
import { newId } from '#base/ids.ts'
import type { RunStep } from '#build/graph/operations.ts'
import type { Ready, RunOutput, StepResult, StepRunner } from '#build/solve/ports.ts'
import type { Networks } from '#network/networks.ts'
import { writeTar } from '#oci/tar/write-tar.ts'
import type { Helper } from '#os/helper.ts'
import type { TreeEntry, Trees } from '#os/tree.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Directories } from '../../containers/directories.ts'
import type { PathsOf } from '../../containers/paths.ts'
import { tarOfTree } from '../../containers/tree-tar.ts'
import { processFailed } from './errors.ts'
import { cannotRunHere } from './foreign-platform.ts'
import { MountStubs } from './mount-stubs.ts'
import { type StepBundleDeps, type StepParts, stepBundle } from './step-bundle.ts'
import { LowerTree, stepChanges } from './step-changes.ts'
import { type StepFilesDeps, stepFiles } from './step-files.ts'
import { type StepMountsDeps, type StepPlace, stepMounts } from './step-mounts.ts'
import { StepProcess, type StepProcessDeps } from './step-process.ts'
import { StepRoot } from './step-root.ts'

export interface ShimStepsDeps
  extends StepProcessDeps, StepMountsDeps, StepFilesDeps, Omit<StepBundleDeps, 'bridge'> {
  readonly helper: Helper
  readonly snapshots: Snapshots
  readonly trees: Trees
  readonly networks: Pick<Networks, 'bridge' | 'lease' | 'release'>
  readonly directories: Pick<Directories, 'make' | 'remove'>
  readonly paths: PathsOf
}

/**
 * RUN, by the parts that containers run with. A step is no container: it has a snapshot, a runtime directory, a shim, an address
 * and a control group under an id of its own, and no row; so a daemon that is started after this one was killed ends and removes
 * all of it as a stray.
 */
export class ShimSteps implements StepRunner {
  readonly #deps: ShimStepsDeps
  readonly #running = new Set<string>()

  constructor(deps: ShimStepsDeps) {
    this.#deps = deps
  }

  /** Ids under which steps have snapshots right now, as containers have theirs. */
  get running(): ReadonlySet<string> {
    return this.#running
  }

  async run(ready: Ready<RunStep>, io: RunOutput): Promise<StepResult> {
    const { signal, step } = ready
    signal.throwIfAborted()
    const id = newId()
    const acquired = new AsyncDisposableStack()
    try {
      this.#own(id, acquired)
      const parts = await this.#acquire(id, ready, io, acquired)
      const stubs = await this.#process(parts, ready, io, acquired)
      const { upper } = parts.root
      // What a privileged process may have unmounted is looked at more closely.
      if (step.security === 'sandbox' && stubs.isAllIn(upper)) return { layer: undefined }
      return { layer: await this.#layer(upper, stubs, ready) }
    } finally {
      await this.#giveBack(acquired, id)
    }
  }

  /** Newest first. What cannot be given back is said, and changes nothing about what the step has come to. */
  async #giveBack(acquired: AsyncDisposableStack, id: string): Promise<void> {
    try {
      await acquired.disposeAsync()
    } catch (error) {
      this.#deps.logger.error('what a build step had cannot be taken back', { step: id, error })
    }
  }

  #own(id: string, acquired: AsyncDisposableStack): void {
    this.#running.add(id)
    acquired.defer(() => void this.#running.delete(id))
  }

  async #acquire(
    id: string,
    ready: Ready<RunStep>,
    { secrets }: RunOutput,
    acquired: AsyncDisposableStack,
  ): Promise<StepParts> {
    const { snapshots, networks, directories } = this.#deps
    const { step, layers } = ready
    const paths = this.#deps.paths(id)
    // The intent, which recovery finds, comes before its effects.
    await directories.make(paths.runtime)
    acquired.defer(() => directories.remove(paths.runtime))
    // First of all, since it may have to wait for caches.
    const place: StepPlace = { id, runtime: paths.runtime, own: (own, until) => this.#own(own, until) }
    const asked = await stepMounts(ready, secrets, place, this.#deps, acquired)
    await snapshots.prepare(id, layers)
    acquired.defer(() => snapshots.remove(id))
    const connected = step.network === 'default' && networks.bridge.link !== ''
    const endpoint = connected ? networks.lease({ containerId: id }) : undefined
    acquired.defer(() => networks.release(id))
    const [root, files] = await Promise.all([
      snapshots.root(id, layers),
      stepFiles(step, paths.runtime, endpoint?.ipv6 !== undefined, this.#deps),
    ])
    return { id, step, paths, root, endpoint, files, asked }
  }

  /** Runs the process to its end and says which places in its root filesystem are only there for mounts. */
  async #process(
    parts: StepParts,
    { step, signal }: Ready<RunStep>,
    { onOutput }: RunOutput,
    acquired: AsyncDisposableStack,
  ): Promise<MountStubs> {
    const { runtime, rootfs, spec } = parts.paths
    const [bundle] = await Promise.all([
      stepBundle(parts, { ...this.#deps, bridge: () => this.#deps.networks.bridge }),
      mkdir(rootfs, { mode: 0o755 }),
      ...(parts.asked.pins.length > 0 ? [mkdir(join(runtime, 'pins'), { mode: 0o700 })] : []),
    ])
    signal.throwIfAborted()
    const process = await StepProcess.spawn(runtime, bundle.config, step, this.#deps)
    acquired.use(process)
    await process.ready(signal)
    const root = new StepRoot(`/proc/${process.shimPid}/root${rootfs}`)
    const stubs = new MountStubs(root, bundle.targets)
    await writeFile(spec, JSON.stringify(bundle.spec(root)), { mode: 0o600 })
    const { code, oomKilled } = await process.run(onOutput, signal)
    if (code !== 0) throw processFailed(step.args, code, oomKilled, await cannotRunHere(step.platform))
    return stubs
  }

  /** From the upper directory alone; nothing is written for a step that has changed nothing. */
  async #layer(
    upper: string,
    stubs: MountStubs,
    { layers, signal }: Ready<RunStep>,
  ): Promise<Digest | undefined> {
    const { trees, snapshots } = this.#deps
    await using lower = new LowerTree(this.#deps, layers)
    const entries = trees.read({ directory: upper }, '/', { upperDir: true, name: '', signal })
    const changes = stepChanges(entries, stubs, (path) => lower.find(path))
    try {
      const first = await changes.next()
      if (first.done === true) return undefined
      const tar = writeTar(tarOfTree(withFirst(first.value, changes)))
      return (await snapshots.ingest(tar, { signal, parents: async () => layers })).diffId
    } finally {
      await changes.return(undefined)
    }
  }
}

async function* withFirst(first: TreeEntry, others: AsyncIterable<TreeEntry>): AsyncGenerator<TreeEntry> {
  yield first
  yield* others
}
