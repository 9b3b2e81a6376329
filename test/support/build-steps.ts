/** Steps of builds on the real kernel, by the parts that a daemon is made of, without one. */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { newId } from '#base/ids.ts'
import { type Logger, silentLogger } from '#base/logger.ts'
import type { FileOrigin, RunStep } from '#build/graph/operations.ts'
import type { Secrets } from '#build/solve/ports.ts'
import type { FileSource } from '#build/sources/file-source.ts'
import { readConfig } from '#daemon/config.ts'
import { chooseRuntime, openStorage } from '#daemon/machine-setup.ts'
import { CacheMounts } from '#engine/builds/run/cache-mounts.ts'
import { hostGateways } from '#engine/networks/host-gateways.ts'
import { runStep } from '#engine/builds/run/step.fixture.ts'
import { ShimSteps } from '#engine/builds/run/shim-steps.ts'
import { diskDirectories } from '#engine/containers/directories.ts'
import { containerPaths } from '#engine/containers/paths.ts'
import { Remains } from '#engine/containers/remains.ts'
import { KernelNetworks } from '#network/kernel-networks.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import type { TarSource } from '#oci/tar/write-tar.ts'
import { mountedCgroups } from '#os/cgroups/mounted-cgroups.ts'
import { type NativeHelper, startHelper } from '#os/native-helper.ts'
import type { NativeTrees } from '#os/native-trees.ts'
import { hostResolvConf } from '#os/proc/resolv-conf.ts'
import { NativeShims } from '#runtime/native-shims.ts'
import type { DiskSnapshots } from '#store/snapshots/disk-snapshots.ts'
import { busyboxTar, tarOf } from './busybox-image.ts'
import type { Marks } from './leak-check.ts'
import { nativeBuild } from './native.ts'

/** What a step has done. */
export interface RanStep {
  readonly layer: Digest | undefined
  readonly out: string
  readonly err: string
}

export interface StepOptions {
  readonly layers?: readonly Digest[]
  readonly sources?: Readonly<Record<string, FileSource>>
  readonly secrets?: Readonly<Record<string, string>>
  readonly agents?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  readonly onOutput?: (stream: 1 | 2, text: string) => void
}

/** A step to be run; `args` may be a line for the shell. */
export type WantedStep = Partial<Omit<RunStep, 'args'>> & { readonly args: string | readonly string[] }

export class BuildSteps implements AsyncDisposable {
  readonly helper: NativeHelper
  readonly snapshots: DiskSnapshots
  readonly trees: NativeTrees
  readonly networks: KernelNetworks
  readonly caches: CacheMounts
  readonly steps: ShimSteps
  readonly dataRoot: string
  /** The layer of an image with busybox. */
  readonly busybox: Digest
  readonly #owned: AsyncDisposable

  /** In the network namespace of this process. */
  static async open(marks: Marks, logger: Logger = silentLogger): Promise<BuildSteps> {
    await using acquired = new AsyncDisposableStack()
    const { dataRoot, execRoot, cgroupParent, firewallTable } = marks
    const runtime = process.env['BERTH_RUNTIME'] ?? 'auto'
    const driver = process.env['BERTH_STORAGE_DRIVER'] ?? 'auto'
    const roots = ['--data-root', dataRoot, '--exec-root', execRoot]
    const { config } = readConfig([...roots, '--default-runtime', runtime, '--storage-driver', driver])
    await mkdir(dataRoot, { recursive: true, mode: 0o700 })
    await mkdir(execRoot, { recursive: true, mode: 0o711 })
    const helper = acquired.use(await startHelper({ execRoot, buildDir: nativeBuild, logger }))
    const chosen = await chooseRuntime(helper, { current: config }, logger)
    const { snapshots, trees } = await openStorage(helper, config, nativeBuild, logger)
    acquired.use(snapshots)
    const networks = new KernelNetworks({
      helper,
      logger,
      networkId: newId(),
      link: 'berth0',
      table: firewallTable,
    })
    await networks.ensure()
    const cgroups = await mountedCgroups()
    const caches = new CacheMounts({ dataRoot, trees, helper, clock: systemClock, logger })
    await caches.recover()
    const steps = new ShimSteps({
      helper,
      snapshots,
      trees,
      networks,
      caches,
      ...chosen,
      execRoot,
      logger,
      clock: systemClock,
      shims: new NativeShims(helper),
      remains: new Remains({ ...chosen, directories: diskDirectories, cgroups, cgroupParent }),
      directories: diskDirectories,
      paths: containerPaths(dataRoot, execRoot),
      cgroupParent,
      cgroupDirectory: (path) => cgroups.directory(path),
      hostResolvConf: () => hostResolvConf(),
      hostGateways: () => hostGateways(networks.bridge, []),
    })
    const busybox = (await snapshots.ingest(once(await busyboxTar()))).diffId
    const parts = { helper, snapshots, trees, networks, caches, steps, dataRoot, busybox }
    acquired.defer(() => networks.destroy())
    acquired.defer(() => cgroups.removeEmpty(cgroupParent))
    return new BuildSteps(parts, acquired.move())
  }

  private constructor(
    parts: Pick<
      BuildSteps,
      'helper' | 'snapshots' | 'trees' | 'networks' | 'caches' | 'steps' | 'dataRoot' | 'busybox'
    >,
    owned: AsyncDisposable,
  ) {
    this.helper = parts.helper
    this.snapshots = parts.snapshots
    this.trees = parts.trees
    this.networks = parts.networks
    this.caches = parts.caches
    this.steps = parts.steps
    this.dataRoot = parts.dataRoot
    this.busybox = parts.busybox
    this.#owned = owned
  }

  async layer(...members: readonly TarSource[]): Promise<Digest> {
    return (await this.snapshots.ingest(once(await tarOf(...members)))).diffId
  }

  /** Runs a step on busybox, or on the layers given. */
  async run(wanted: WantedStep, options: StepOptions = {}): Promise<RanStep> {
    const { secrets = {}, agents = {}, sources = {} } = options
    const texts = { 1: '', 2: '' }
    const known: Secrets = {
      secret: async (id) => (secrets[id] === undefined ? undefined : Buffer.from(secrets[id])),
      agent: async (id) => agents[id],
    }
    const { layer } = await this.steps.run(
      {
        step: stepOf(wanted),
        layers: options.layers ?? [this.busybox],
        open: async (origin) => shared(sources[originKey(origin)]),
        signal: options.signal ?? new AbortController().signal,
      },
      {
        secrets: known,
        onOutput(stream, data) {
          const text = Buffer.from(data).toString()
          texts[stream] += text
          options.onOutput?.(stream, text)
        },
      },
    )
    return { layer, out: texts[1], err: texts[2] }
  }

  /** What a layer holds, as `type mode uid:gid path`, directories with a slash; its archive's members in their order. */
  async listing(layer: Digest | undefined): Promise<readonly string[]> {
    if (layer === undefined) return []
    const lines: string[] = []
    for await (const { entry } of readTar(this.snapshots.tar(layer))) {
      const mode = entry.mode.toString(8).padStart(4, '0')
      lines.push(`${entry.type} ${mode} ${entry.uid}:${entry.gid} ${entry.path}`)
    }
    return lines
  }

  /** The names alone. */
  async names(layer: Digest | undefined): Promise<readonly string[]> {
    return (await this.listing(layer)).map((line) => line.split(' ').slice(3).join(' '))
  }

  /** A directory of the host. */
  directory(path: string): FileSource {
    const { trees } = this
    return sourceOf('build context', { directory: path }, path, undefined, (at) =>
      trees.stat({ directory: path }, `/${at}`, { follow: true }),
    )
  }

  /** The files of layers. */
  async files(layers: readonly Digest[]): Promise<FileSource & AsyncDisposable> {
    const view = await this.snapshots.view(layers)
    const root = { join: this.helper.pid, root: view.path }
    const source = sourceOf('stage', root, view.path, layers, (at) =>
      this.trees.stat(root, `/${at}`, { follow: true }),
    )
    return Object.assign(source, { [Symbol.asyncDispose]: () => view[Symbol.asyncDispose]() })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]()
  }
}

function sourceOf(
  name: string,
  root: { readonly directory: string } | { readonly join: number; readonly root: string },
  path: string,
  layers: readonly Digest[] | undefined,
  stat: (path: string) => Promise<object>,
): FileSource {
  return {
    name,
    layers,
    async find(at: string) {
      try {
        return { attributes: { ...(await stat(at)), path: at } }
      } catch {
        return undefined
      }
    },
    root: async () => ({ ...root, path }),
    [Symbol.asyncDispose]: async () => undefined,
  } as unknown as FileSource
}

/** The caller keeps it. */
function shared(source: FileSource | undefined): FileSource {
  if (source === undefined) throw new Error('the test has no such source')
  return new Proxy(source, {
    get: (target, key, receiver) =>
      key === Symbol.asyncDispose ? async () => undefined : Reflect.get(target, key, receiver),
  })
}

function originKey(origin: FileOrigin): string {
  return origin.kind === 'context' ? origin.name : origin.kind
}

export function stepOf({ args, ...wanted }: WantedStep): RunStep {
  return runStep({ ...wanted, args: typeof args === 'string' ? ['/bin/sh', '-c', args] : args })
}

/** Marks of its own for whatever a test makes below `root`. */
export function marksBelow(root: string, netns: string): Marks {
  const name = `berth-t-${randomBytes(4).toString('hex')}`
  return {
    execRoot: join(root, 'run'),
    dataRoot: join(root, 'data'),
    cgroupParent: `/${name}`,
    netns,
    firewallTable: name.replaceAll('-', '_'),
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
