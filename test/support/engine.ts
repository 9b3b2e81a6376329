/**
 * The life of containers in this process: the real services over fakes of what lies below them. The machine outlives its
 * engines, so that a test can crash one and start the next.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { Background } from '#base/background.ts'
import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { type Logger, jsonLogger } from '#base/logger.ts'
import { KeyedMutex } from '#base/mutex.ts'
import { containerSettings } from '#daemon/container-settings.ts'
import { type ContainerParts, assembleContainers } from '#daemon/container-services.ts'
import { Attachments } from '#engine/containers/attachments.ts'
import type { Container } from '#engine/containers/container.ts'
import type { Directories } from '#engine/containers/directories.ts'
import { ContainerEvents } from '#engine/containers/events.ts'
import { MountSourcesOf } from '#engine/containers/mount-sources.ts'
import { Mounts } from '#engine/containers/mounts.ts'
import { containerPaths } from '#engine/containers/paths.ts'
import { recover } from '#engine/containers/recovery.ts'
import { ContainerRegistry } from '#engine/containers/registry.ts'
import { runOf } from '#engine/containers/state.ts'
import { Streams } from '#engine/containers/streams.ts'
import type { Bundles } from '#engine/containers/supervisor.ts'
import { Waiters } from '#engine/containers/waiters.ts'
import type { Image } from '#engine/images/image-store.ts'
import type { ContainerCreateBody } from '#engine/services.ts'
import { Connections } from '#engine/networks/connections.ts'
import { ContainerNames } from '#engine/networks/container-names.ts'
import { type HostsLine, LegacyLinks } from '#engine/networks/legacy-links.ts'
import { NetworkEndpoints } from '#engine/networks/endpoints.ts'
import { NetworkRegistry } from '#engine/networks/network-registry.ts'
import { UserNetworks } from '#engine/networks/networks.ts'
import { VolumePlugins } from '#engine/volumes/volume-plugins.ts'
import { Volumes } from '#engine/volumes/volumes.ts'
import { FakeNetworks } from '#network/fake-networks.ts'
import { FakeNames } from '#network/names/fake-names.ts'
import { FakeTrees } from '#os/fake-trees.ts'
import type { Helper, RunResult } from '#os/helper.ts'
import { FakeShims } from '#runtime/fake-shims.ts'
import type { Machine } from '#runtime/machine.ts'
import { OciRuntime, type StartedContainer } from '#runtime/oci-runtime.ts'
import { ContainerRows } from '#store/containers.ts'
import { type Database, openDatabase } from '#store/db.ts'
import { MemorySnapshots } from '#store/snapshots/memory-snapshots.ts'
import { NetworkRows } from '#store/networks.ts'
import { VolumeRows } from '#store/volumes.ts'
import { Turns, gated } from './turns.ts'

export const IMAGE_ID: Digest = `sha256:${'a'.repeat(64)}`
const EXEC_ROOT = '/run/berth'
const RUNTIME_ROOT = '/run/berth/runtime'
const defaultSettings = containerSettings({}, {})

/** Directories and small files in memory. */
export class FakeDirectories implements Directories {
  readonly made = new Set<string>()
  readonly files = new Map<string, string>()
  /** Directories that others fill. */
  readonly filled = new Map<string, () => readonly string[]>()

  async make(path: string): Promise<void> {
    this.made.add(path)
  }

  async remove(path: string): Promise<void> {
    for (const made of this.made) if (made === path || made.startsWith(`${path}/`)) this.made.delete(made)
    for (const file of this.files.keys()) if (file.startsWith(`${path}/`)) this.files.delete(file)
  }

  async list(path: string): Promise<readonly string[]> {
    const filled = this.filled.get(path)
    if (filled !== undefined) return filled()
    const below = [...this.made, ...this.files.keys()].filter((name) => name.startsWith(`${path}/`))
    return [...new Set(below.map((name) => name.slice(path.length + 1).split('/')[0] ?? ''))]
  }

  async space(): Promise<number> {
    return 0
  }

  async write(file: string, text: string): Promise<void> {
    this.files.set(file, text)
  }

  async removeFile(file: string): Promise<void> {
    this.files.delete(file)
  }
}

/** What stays when a daemon is killed: the kernel, the disk, the database. */
export class FakeMachine implements Disposable {
  readonly clock = new FakeClock()
  readonly directories = new FakeDirectories()
  readonly shims = new FakeShims({
    now: () => this.clock.now(),
    read: async (file) => this.directories.files.get(file) ?? '{}',
  })
  readonly snapshots = new MemorySnapshots()
  readonly names = new FakeNames()
  readonly db: Database = openDatabase(':memory:', { logger: this.logger })
  readonly dataRoot = mkdtempSync(join(tmpdir(), 'berth-engine-'))
  /** Lines of the daemons' log from `warn` upwards. */
  readonly log: string[] = []
  /** Commands of the OCI runtime that fail, by name. */
  readonly failing = new Map<string, string>()
  bootId = 'boot-1'

  constructor() {
    this.directories.filled.set(RUNTIME_ROOT, () => this.shims.running.map(({ id }) => id))
    this.db.run('INSERT INTO images (id, size, created) VALUES (?, 0, 0)', [IMAGE_ID])
  }

  [Symbol.dispose](): void {
    rmSync(this.dataRoot, { recursive: true })
  }

  get logger(): Logger {
    return jsonLogger((line) => this.log.push(line), 'warn')
  }

  /** What `crun pause|resume|update|delete` do. */
  async run(argv: readonly string[]): Promise<RunResult> {
    const [, , , command = '', ...rest] = argv
    const id = rest.at(-1) ?? ''
    const init = this.shims.running.find((one) => one.id === id)
    const failure = this.failing.get(command)
    if (failure !== undefined) return { code: 1, stdout: '', stderr: failure }
    if (command === 'delete') {
      this.end(id)
      return { code: 0, stdout: '', stderr: '' }
    }
    if (init === undefined) return { code: 1, stdout: '', stderr: `container ${id} does not exist` }
    if (command === 'pause') init.freeze()
    if (command === 'resume') init.thaw()
    return { code: 0, stdout: '', stderr: '' }
  }

  /** Kills what a container has, with or without a shim. */
  end(id: string): void {
    for (const init of this.shims.running.filter((one) => one.id === id)) {
      init.thaw()
      init.signal(9)
    }
  }

  async kill(pid: number, _startTime: string, signal: number): Promise<boolean> {
    const init = this.shims.running.find((one) => one.pid === pid)
    init?.signal(signal)
    return init !== undefined
  }
}

export const fakeMachineFacts: Machine = {
  cgroupVersion: 'v2',
  cpus: 4,
  hardLimits: {},
  capabilities: ['CAP_CHOWN'],
  timeNamespaces: true,
  thermalThrottlePaths: [],
  architecture: 'amd64',
  kernel: '6.18.0',
  minOomScoreAdj: -1000,
  cgroups: {
    memoryLimit: true,
    swapLimit: true,
    memoryReservation: true,
    memorySwappiness: true,
    oomKillDisable: true,
    cpuShares: true,
    cpuCfs: true,
    cpuset: true,
    pidsLimit: true,
    blkioWeight: true,
    blkioThrottle: true,
    cpusetCpus: '0-3',
    cpusetMems: '0',
  },
  hybridControllers: [],
}

/** One daemon on a machine. */
export class TestEngine {
  readonly machine: FakeMachine
  readonly turns = new Turns()
  readonly events: string[] = []
  readonly networks = new FakeNetworks()
  readonly parts: ContainerParts
  readonly streams: Streams
  readonly registry: ContainerRegistry
  readonly volumes: Volumes
  readonly knownNetworks: NetworkRegistry
  readonly userNetworks: UserNetworks
  readonly background: Background
  readonly #services: ReturnType<typeof assembleContainers>
  readonly #connections: Connections

  /** Ready to serve once `recovered` has resolved. */
  /** What running containers were told of those that they are linked to. */
  readonly hosts = new Map<string, readonly HostsLine[]>()

  constructor(machine: FakeMachine) {
    this.machine = machine
    const { db, clock, directories, logger, dataRoot } = machine
    const publisher = { publish: this.#publish.bind(this) }
    this.registry = new ContainerRegistry(new ContainerRows(db), logger)
    this.background = new Background(logger)
    const helper = gated(helperOf(machine), this.turns)
    const snapshots = gated(machine.snapshots, this.turns)
    const networks = gated(this.networks, this.turns)
    this.knownNetworks = new NetworkRegistry({
      rows: new NetworkRows(db),
      logger,
      bridge: () => this.networks.bridge,
      ids: { host: 'b'.repeat(64), none: 'c'.repeat(64) },
      createdAt: '2026-01-01T00:00:00Z',
    })
    const endpoints = new NetworkEndpoints({ networks, known: this.knownNetworks, registry: this.registry })
    const trees = new FakeTrees()
    this.volumes = new Volumes({
      rows: new VolumeRows(db),
      dataRoot,
      mountRoot: join(EXEC_ROOT, 'mnt/volumes'),
      helper,
      trees,
      plugins: new VolumePlugins({ sockets: join(dataRoot, 'plugins'), specifications: [] }),
      events: publisher,
      logger,
      describeUser: () => undefined,
    })
    const paths = containerPaths('/var/lib/berth', EXEC_ROOT)
    const images = { resolve: async () => fakeImage }
    const locks = new KeyedMutex()
    const links = new LegacyLinks({ registry: this.registry, locks, networks, files: this.#files, logger })
    this.parts = {
      logger,
      background: this.background,
      clock: gated(clock, this.turns),
      registry: this.registry,
      locks,
      links,
      waiters: new Waiters(),
      attachments: new Attachments(),
      events: new ContainerEvents(publisher, (id) => this.knownNetworks.driverOf(id)),
      paths,
      directories: gated(directories, this.turns),
      shims: gated(machine.shims, this.turns),
      helper,
      runtime: new OciRuntime(helper, { binary: 'crun', root: RUNTIME_ROOT }),
      remains: gated({ end: async ({ id }: StartedContainer) => machine.end(id) }, this.turns),
      limits: { lift: () => undefined },
      machine: fakeMachineFacts,
      bootId: machine.bootId,
      networks,
      endpoints,
      names: new ContainerNames({
        service: gated(machine.names, this.turns),
        known: this.knownNetworks,
        links,
      }),
      knownNetworks: this.knownNetworks,
      bundles: gated(bundlesIn(directories, paths), this.turns),
      snapshots,
      images,
      mounts: new Mounts({ volumes: this.volumes, images, snapshots, trees, helper }),
      mountSources: new MountSourcesOf({
        volumes: this.volumes,
        snapshots,
        events: publisher,
        paths,
        logger,
      }),
      volumes: this.volumes,
      settings: () => defaultSettings,
      logDrivers: { check: async () => undefined, started: () => undefined, finish: async () => undefined },
      platform: { os: 'linux', architecture: 'amd64', variant: 'v3' },
      runtimes: { standardName: 'crun', names: ['crun', 'runc'] },
      execProcess: async (_container, body) => ({ args: body.Cmd ?? [] }),
      imagesReleased: async () => undefined,
      dataRoot,
    }
    this.#services = assembleContainers(this.parts)
    this.#connections = new Connections({
      ...this.parts,
      endpoints,
      etcFiles: { connectionsChanged: async () => undefined },
    })
    this.userNetworks = new UserNetworks({
      ...this.parts,
      known: this.knownNetworks,
      connections: this.#connections,
      supervisor: this.#services.supervisor,
      events: publisher,
    })
    this.streams = new Streams({
      ...this.parts,
      ...this.#services,
      logs: { read: () => noLogs() },
      logFile: (id) => paths(id).log,
    })
  }

  get #files() {
    const hostsChanged = async (id: string, stale: readonly string[], lines: readonly HostsLine[]) => {
      const kept = (this.hosts.get(id) ?? []).filter(({ names }) => !stale.includes(names))
      this.hosts.set(id, [...kept, ...lines])
    }
    return { hostsChanged }
  }

  static async start(machine: FakeMachine = new FakeMachine()): Promise<TestEngine> {
    const engine = new TestEngine(machine)
    await engine.volumes.recover()
    await engine.recover()
    return engine
  }

  get lifecycle() {
    return this.#services.lifecycle
  }

  get execs() {
    return this.#services.execs
  }

  get health() {
    return this.#services.health
  }

  /** Makes rows and processes agree; touches nothing real, so that a simulation can kill it anywhere. */
  async recover(): Promise<void> {
    await this.userNetworks.recover()
    await recover({
      ...this.parts,
      ...this.#services,
      connections: this.#connections,
      execRoot: EXEC_ROOT,
    })
  }

  /** The daemon is killed, at once; what it had begun stays as it is. */
  kill(): void {
    this.turns.end()
  }

  /** The daemon is killed and started again. */
  async crash(): Promise<TestEngine> {
    this.kill()
    return TestEngine.start(this.machine)
  }

  /** An orderly end of the daemon. */
  async close(): Promise<void> {
    this.#services.restarts.close()
    this.#services.health.close()
    this.parts.attachments.close()
    await this.#services.supervisor.close()
    await this.background.idle()
  }

  /** Resolves when everybody who could do something has done it. */
  async settled(): Promise<void> {
    for (let i = 0; i < 20; i++) await turn()
  }

  async create(body: ContainerCreateBody = {}, name?: string): Promise<string> {
    const { Id } = await this.lifecycle.create(
      { Image: 'busybox', Cmd: ['sleep', '1000'], ...body },
      { name },
    )
    return Id
  }

  async run(body: ContainerCreateBody = {}, name?: string): Promise<string> {
    const id = await this.create(body, name)
    await this.lifecycle.start(id)
    return id
  }

  container(id: string): Container {
    return this.registry.resolve(id)
  }

  status(id: string): string {
    return this.registry.find(id)?.state.status ?? 'gone'
  }

  pid(id: string): number {
    return runOf(this.container(id).state)?.pid ?? 0
  }

  /** Events so far, `type action`; they are forgotten. */
  takeEvents(): string[] {
    return this.events.splice(0)
  }

  #publish(type: string, action: string, _id: string, attributes: Readonly<Record<string, string>>): void {
    const { signal, exitCode } = attributes
    const detail = signal ?? exitCode
    this.events.push(
      `${type === 'container' ? '' : `${type} `}${action}${detail === undefined ? '' : ` ${detail}`}`,
    )
  }
}

function helperOf(machine: FakeMachine): Helper {
  const helper = {
    pid: 1,
    run: async (argv: readonly string[]) => machine.run(argv),
    kill: async (pid: number, startTime: string, signal: number) => machine.kill(pid, startTime, signal),
    removeTree: async (path: string) => rmSync(path, { recursive: true, force: true }),
    syncfs: async () => undefined,
    limitSize: async () => {
      throw new EngineError('internal', 'no quotas here', { code: 'SYSTEM_CALL_FAILED' })
    },
  }
  return helper as unknown as Helper
}

/** Bundles that hold the arguments alone. */
function bundlesIn(directories: FakeDirectories, paths: ContainerParts['paths']): Bundles {
  return {
    async write(container) {
      const { id, path, args, config } = container
      const { runtime, spec, exitRecord } = paths(id)
      await directories.write(spec, JSON.stringify({ process: { args: [path, ...args] } }))
      return {
        id,
        runtime: 'crun',
        runtimeRoot: RUNTIME_ROOT,
        bundle: runtime,
        rootfs: paths(id).rootfs,
        lower: [],
        upper: '',
        work: '',
        volatile: false,
        tty: config.Tty === true,
        stdin: config.OpenStdin === true,
        stdinOnce: config.StdinOnce === true,
        exitRecord,
        network: { mode: 'none', sysctls: {} },
        shares: [],
      }
    },
  }
}

const fakeImage = {
  id: IMAGE_ID,
  layers: [],
  config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } },
} as unknown as Image

async function* noLogs(): AsyncGenerator<Uint8Array> {
  // Nothing was written.
}
