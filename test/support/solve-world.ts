import { FakeClock } from '#base/fake-clock.ts'
import { type Digest, digestOf } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { Slots } from '#base/slots.ts'
import type {
  BaseImage,
  ContextOrigin,
  CopyStep,
  DirectoryStep,
  FileOrigin,
  Filesystem,
  RunStep,
} from '#build/graph/operations.ts'
import type { BuildProgress, CacheMiss } from '#build/progress/progress.ts'
import { isFilesystem, isStep, type Step, takenFilesystems } from '#build/solve/keys.ts'
import type { CopyInputs, FileSteps, Ready, RunOutput, StepResult, StepRunner } from '#build/solve/ports.ts'
import { Solver } from '#build/solve/solver.ts'
import type { SolveRequest } from '#build/solve/solved.ts'
import type { FileSource, SourceFile } from '#build/sources/file-source.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { BuildCache } from '#store/build-cache/build-cache.ts'
import { imagesForTest, layerTar } from './images.ts'

export const context: ContextOrigin = { kind: 'context', name: 'context' }
export const scratch = { kind: 'scratch' } as const

interface Labels {
  readonly stage?: string
  readonly instruction?: string
  readonly args?: Readonly<Record<string, string>>
  readonly uncached?: boolean
  readonly line?: number
}

function labelOf(instruction: string, given: Labels) {
  const { stage = 'stage-0', args = {}, uncached = false, line = 1 } = given
  const text = given.instruction ?? instruction
  return { name: `[${stage}] ${text}`, stage, instruction: text, line, args, uncached }
}

export function runStep(
  on: Filesystem,
  command: string,
  change: Partial<Omit<RunStep, 'kind' | 'on' | 'label'>> & { readonly label?: Labels } = {},
): RunStep {
  const { label = {}, ...fields } = change
  return {
    kind: 'run',
    on,
    args: ['/bin/sh', '-c', command],
    env: [],
    proxyEnv: [],
    cwd: '/',
    user: '',
    mounts: [],
    scripts: [],
    network: 'default',
    security: 'sandbox',
    platform: { os: 'linux', architecture: 'amd64' },
    hostname: 'buildkitsandbox',
    extraHosts: [],
    limits: {},
    ...fields,
    label: labelOf(`RUN ${command}`, label),
  }
}

export function copyStep(
  on: Filesystem,
  from: FileOrigin,
  pattern: string,
  change: Partial<Omit<CopyStep, 'kind' | 'on' | 'label'>> & { readonly label?: Labels } = {},
): CopyStep {
  const { label = {}, ...fields } = change
  return {
    kind: 'copy',
    on,
    sources: [{ type: 'files', from, pattern, unpack: 'never' }],
    destination: '/',
    owner: undefined,
    mode: undefined,
    link: false,
    parents: false,
    exclude: [],
    ...fields,
    label: labelOf(`COPY ${pattern} /`, label),
  }
}

export function directoryStep(on: Filesystem, path: string, label: Labels = {}): DirectoryStep {
  return { kind: 'directory', on, path, user: '', label: labelOf(`WORKDIR ${path}`, label) }
}

/**
 * A solver over stores in memory. RUN makes a file named by all it sees, COPY one named by what it takes: what is made of
 * the same is the same. Commands: `nothing` changes nothing, `fail` fails.
 */
export class SolveWorld {
  readonly images = imagesForTest()
  readonly clock = new FakeClock()
  readonly slots: Slots
  readonly cache: BuildCache
  readonly solver: Solver
  readonly #steps: { readonly runner: StepRunner; readonly files: FileSteps }
  /** Contents by path, of the build context. */
  readonly files = new Map<string, string>([['a', '1']])
  /** Names of steps that were done, in order; those that were only looked at are not here. */
  readonly done: string[] = []
  /** Steps that are being done, and sources that are open. */
  readonly busy = { steps: 0, most: 0, sources: 0 }
  /** Waited for before and after whatever a step does. */
  gate: (what: string, signal: AbortSignal) => Promise<void> = async () => undefined
  #builds = 0

  constructor(options: { readonly slots?: number } = {}) {
    const { db, snapshots, store } = this.images
    this.slots = new Slots(options.slots ?? 4)
    this.cache = new BuildCache({
      db,
      snapshots,
      clock: this.clock,
      pins: store.collector,
      discard: (garbage) => store.collector.discard(garbage),
    })
    this.#steps = { runner: this.#runner(), files: this.#fileSteps() }
    this.solver = new Solver({
      ...this.#steps,
      cache: this.cache,
      openLayers: async (layers, name) => this.opened(await this.#treeOf(layers), name),
      slots: this.slots,
      clock: this.clock,
    })
  }

  /** An image in the store with one layer. */
  async image(file: string): Promise<BaseImage> {
    const id = await this.images.image({ layers: [file], names: [`${file}:1`] })
    return { kind: 'image', name: file, id, layers: this.images.store.rows.layers(id) }
  }

  /** Builds; the lease is let go at once, as after the image was written. */
  async build(
    targets: readonly Filesystem[],
    change: Partial<Pick<SolveRequest, 'signal' | 'slot' | 'foreign' | 'open' | 'report' | 'complete'>> = {},
  ) {
    const progress: BuildProgress[] = []
    await using lease = this.cache.lease()
    const solved = await this.solver.solve(targets, {
      id: `build-${this.#builds++}`,
      open: async () => this.opened(new Map(this.files), 'build context'),
      secrets: { secret: async () => undefined, agent: async () => undefined },
      report: (each) => progress.push(each),
      signal: new AbortController().signal,
      slot: 'build',
      ...change,
      lease,
    })
    return { solved, progress, lease, misses: missesOf(progress), cached: cachedOf(progress) }
  }

  /** What the solver should come to: every step done, one after the other. Undefined when one of them fails. */
  async evaluate(
    node: Filesystem,
    known = new Map<Filesystem, readonly Digest[] | undefined>(),
  ): Promise<readonly Digest[] | undefined> {
    if (!isStep(node)) return node.kind === 'image' ? node.layers : []
    if (known.has(node)) return known.get(node)
    const inputs = new Map<FileOrigin, readonly Digest[]>()
    known.set(node, undefined)
    for (const input of [node.on, ...takenFilesystems(node)]) {
      const layers = await this.evaluate(input, known)
      if (layers === undefined) return undefined
      inputs.set(input, layers)
    }
    const layers = inputs.get(node.on) ?? []
    const open = async (origin: FileOrigin): Promise<FileSource> =>
      isFilesystem(origin)
        ? this.opened(await this.#treeOf(inputs.get(origin) ?? []), 'stage')
        : this.opened(new Map(this.files), 'build context')
    try {
      const { layer } = await this.#do(node, { layers, open, signal: new AbortController().signal })
      known.set(node, layer === undefined ? layers : [...layers, layer])
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
    }
    return known.get(node)
  }

  #do(step: Step, ready: Omit<Ready<Step>, 'step'>): Promise<StepResult> {
    const { runner, files } = this.#steps
    if (step.kind === 'copy') return files.copy({ ...ready, step }, () => undefined)
    if (step.kind === 'directory') return files.directory({ ...ready, step }, () => undefined)
    const secrets = { secret: async () => undefined, agent: async () => undefined }
    return runner.run({ ...ready, step }, { onOutput: () => undefined, secrets })
  }

  #runner(): StepRunner {
    return {
      run: (ready, io) =>
        this.#busy(ready, async () => {
          const { step, layers } = ready
          return this.#result(step.args.at(-1) ?? '', await this.#seen(ready), layers, io)
        }),
    }
  }

  #fileSteps(): FileSteps {
    return {
      inspect: async (ready) => this.#inspect(ready),
      copy: (ready) =>
        this.#busy(ready, async () => {
          const { digest } = await this.#inspect(ready)
          const { link, destination } = ready.step
          const made = await this.#layer(['copy', digest, destination, link ? [] : ready.layers])
          return { ...made, taken: digest }
        }),
      directory: (ready) =>
        this.#busy(ready, () => this.#layer(['directory', ready.step.path, ready.layers])),
    }
  }

  async #busy<R extends StepResult>(
    ready: Ready<RunStep | CopyStep | DirectoryStep>,
    work: () => Promise<R>,
  ): Promise<R> {
    const { step, signal } = ready
    signal.throwIfAborted()
    this.done.push(step.label.instruction)
    this.busy.most = Math.max(this.busy.most, ++this.busy.steps)
    try {
      await this.gate(`begin ${step.label.instruction}`, signal)
      signal.throwIfAborted()
      await this.gate(`end ${step.label.instruction}`, signal)
      // Storing its layer is the last that a step does: afterwards nothing can fail.
      return await work()
    } finally {
      this.busy.steps--
    }
  }

  async #result(
    command: string,
    seen: readonly Digest[],
    layers: readonly Digest[],
    io: RunOutput,
  ): Promise<StepResult> {
    io.onOutput(1, Buffer.from(`output of ${command}\n`))
    if (command.startsWith('fail')) {
      io.onOutput(2, Buffer.from('it went wrong\n'))
      const message = `process "/bin/sh -c ${command}" did not complete successfully: exit code: 3`
      throw new EngineError('invalid_argument', message, {
        code: 'BUILD_RUN_FAILED',
        details: { exitCode: 3 },
      })
    }
    if (command.startsWith('nothing')) return { layer: undefined }
    // What is random is something else each time that it is done.
    const chance = command.startsWith('random') ? this.done.length : 0
    return this.#layer(['run', command, chance, seen, layers])
  }

  /** What the mounts of a RUN show. */
  async #seen({ step, open }: Ready<RunStep>): Promise<Digest[]> {
    const seen: Digest[] = []
    for (const mount of step.mounts) {
      if (mount.type !== 'bind') continue
      await using source = await open(mount.from)
      const files = await Array.fromAsync(source.walk(mount.source.slice(1)))
      seen.push(digestOf(JSON.stringify(await Promise.all(files.map((file) => file.digest())))))
    }
    return seen
  }

  async #inspect({ step, open }: Ready<CopyStep>): Promise<CopyInputs> {
    const files: { path: string; digest: Digest }[] = []
    for (const source of step.sources) {
      if (source.type === 'document') {
        files.push({ path: source.name, digest: digestOf(source.content) })
        continue
      }
      await using opened = await open(source.from)
      const before = files.length
      for await (const file of opened.walk(source.pattern === '.' ? '' : source.pattern)) {
        files.push({ path: file.attributes.path, digest: await file.digest() })
      }
      if (files.length === before && source.pattern !== '.') {
        throw new EngineError('invalid_argument', `"/${source.pattern}": not found`, {
          code: 'COPY_SOURCE_NOT_FOUND',
        })
      }
    }
    return { digest: digestOf(JSON.stringify(files)), files }
  }

  async #layer(what: unknown): Promise<StepResult> {
    const name = digestOf(JSON.stringify(what)).slice(7, 39)
    const { diffId } = await this.images.snapshots.ingest(layerTar(name))
    return { layer: diffId }
  }

  async #treeOf(layers: readonly Digest[]): Promise<Map<string, string>> {
    const tree = new Map<string, string>()
    for (const layer of layers) {
      for await (const { entry } of readTar(this.images.snapshots.tar(layer))) tree.set(entry.path, '')
    }
    return tree
  }

  /** These files, as a source that is counted in `busy` until it is disposed. */
  opened(tree: ReadonlyMap<string, string>, name: string): FileSource {
    this.busy.sources++
    const fileOf = (path: string): SourceFile => ({
      attributes: {
        type: tree.has(path) ? 'file' : 'directory',
        path,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: { seconds: 0, nanoseconds: 0 },
        size: 0,
      },
      digest: async () => digestOf(tree.get(path) ?? ''),
      read: () => layerTar(path),
    })
    return {
      name,
      async *walk(path) {
        const paths = [...tree.keys()].toSorted()
        yield* paths.filter((each) => path === '' || each === path || each.startsWith(`${path}/`)).map(fileOf)
      },
      find: async (path) => {
        const isThere =
          path === '' || tree.has(path) || [...tree.keys()].some((each) => each.startsWith(`${path}/`))
        return isThere ? fileOf(path) : undefined
      },
      root: async () => ({ join: 1, root: '/', path: '/' }),
      [Symbol.asyncDispose]: async () => void this.busy.sources--,
    }
  }
}

function missesOf(progress: readonly BuildProgress[]): CacheMiss[] {
  return progress.flatMap((each) => (each.type === 'explanation' ? each.miss : []))
}

/** Names of steps that came from the cache. */
function cachedOf(progress: readonly BuildProgress[]): string[] {
  return progress.flatMap((each) => (each.type === 'vertex' && each.cached === true ? each.name : []))
}
