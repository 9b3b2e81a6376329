import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { newId } from '#base/ids.ts'
import { jsonLogger } from '#base/logger.ts'
import { type NativeHelper, startHelper } from '#os/native-helper.ts'
import { NativeShims } from '#runtime/native-shims.ts'
import type { Shim, ShimConfig, ShimEvent } from '#runtime/shim.ts'
import { nativeBuild, temporaryDirectory } from './native.ts'

export interface ContainerOptions {
  readonly args: readonly string[]
  readonly tty?: boolean
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly cwd?: string
  readonly memory?: number
  readonly rootfsPropagation?: string
  readonly mounts?: readonly object[]
  readonly shim?: Partial<ShimConfig>
}

/** A container as the shim sees it: a bundle, a configuration, the running shim. */
export interface ShimContainer {
  readonly directory: string
  readonly config: ShimConfig
  readonly shim: Shim & { readonly pid: number }
  readonly events: EventLog
}

/** Everything a shim said, and waiting for what it is going to say. */
export class EventLog {
  readonly seen: ShimEvent[] = []
  readonly #waiting = new Set<() => void>()
  readonly done: Promise<void>
  #ended = false

  constructor(events: AsyncIterable<ShimEvent>) {
    this.done = this.#follow(events)
  }

  async next<T extends ShimEvent['type']>(type: T): Promise<Extract<ShimEvent, { type: T }>> {
    for (;;) {
      const event = this.seen.find((e) => e.type === type)
      if (event !== undefined) return event as Extract<ShimEvent, { type: T }>
      if (this.#ended) throw new Error(`no ${type} among ${JSON.stringify(this.seen)}`)
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
  }

  get types(): readonly string[] {
    return this.seen.map(({ type }) => type)
  }

  async #follow(events: AsyncIterable<ShimEvent>): Promise<void> {
    try {
      for await (const event of events) {
        this.seen.push(event)
        this.#wake()
      }
    } finally {
      this.#ended = true
      this.#wake()
    }
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }
}

/** A helper, a layer with busybox, and containers made of it; all shims are ended on disposal. */
export class ShimContainers implements AsyncDisposable {
  readonly path: string
  readonly shims: NativeShims
  readonly helper: NativeHelper
  readonly runtime: string
  readonly #owned: AsyncDisposable
  readonly #started: ShimContainer[] = []

  static async open(name: string, runtime = process.env['BERTH_RUNTIME'] ?? 'crun'): Promise<ShimContainers> {
    await using acquired = new AsyncDisposableStack()
    const root = acquired.use(await temporaryDirectory(name))
    await mkdir(join(root.path, 'exec'))
    const logger = jsonLogger((line) => process.stderr.write(line), 'warn')
    const options = { execRoot: join(root.path, 'exec'), buildDir: nativeBuild, logger }
    const helper = acquired.use(await startHelper(options))
    if (runtime === 'crun') await hybridForCrun(helper)
    await busyboxLayer(join(root.path, 'busybox'))
    return new ShimContainers(root.path, acquired.move(), helper, which(runtime))
  }

  private constructor(path: string, owned: AsyncDisposable, helper: NativeHelper, runtime: string) {
    this.#owned = owned
    this.path = path
    this.helper = helper
    this.shims = new NativeShims(helper)
    this.runtime = runtime
  }

  /** A container with its shim, not started. */
  async create(options: ContainerOptions): Promise<ShimContainer> {
    const container = await this.spawn(options)
    await container.events.next('ready')
    return container
  }

  /** A container whose shim may fail to set it up. */
  async spawn(options: ContainerOptions): Promise<ShimContainer> {
    const { directory, config } = await this.prepare(options)
    const shim = await this.shims.spawn(directory, config)
    const container = { directory, config, shim, events: new EventLog(shim.watch()) }
    this.#started.push(container)
    return container
  }

  /** The directory of a container with everything the shim wants to find there. */
  async prepare(options: ContainerOptions): Promise<Pick<ShimContainer, 'directory' | 'config'>> {
    const id = newId()
    const directory = join(this.path, 'c', id.slice(0, 12))
    for (const name of ['rootfs', 'upper', 'work', 'exec'])
      await mkdir(join(directory, name), { recursive: true })
    const config: ShimConfig = {
      id,
      runtime: this.runtime,
      runtimeRoot: join(this.path, 'runtime'),
      bundle: directory,
      rootfs: join(directory, 'rootfs'),
      lower: [join(this.path, 'busybox')],
      upper: join(directory, 'upper'),
      work: join(directory, 'work'),
      volatile: false,
      tty: options.tty === true,
      stdin: false,
      stdinOnce: false,
      log: { file: join(directory, 'log'), maxSize: 0, maxFiles: 1 },
      exitRecord: join(directory, 'exit'),
      cgroup: { version: 'v1', directory: `/sys/fs/cgroup/memory/berth-test-${id}` },
      network: { mode: 'none', sysctls: {} },
      shares: [],
      ...options.shim,
    }
    await writeFile(join(directory, 'config.json'), JSON.stringify(specOf(id, options, config.network.mode)))
    return { directory, config }
  }

  /** A container whose process runs. */
  async start(options: ContainerOptions): Promise<ShimContainer & { readonly initPid: number }> {
    const container = await this.create(options)
    const { pid } = await container.shim.start()
    return { ...container, initPid: pid }
  }

  /** Writes `exec/ID.json`. */
  async writeExec(container: Pick<ShimContainer, 'directory'>, id: string, process: object): Promise<void> {
    const file = join(container.directory, 'exec', `${id}.json`)
    await writeFile(file, JSON.stringify({ ...processOf({ args: [] }), ...process }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { directory, shim, events } of this.#started) {
      await shim.discard()
      await shim.kill('init', 9)
      await events.done
      // Where a sanitizer build complains.
      const complaints = await readFile(join(directory, 'shim.log'), 'utf8')
      if (complaints !== '') throw new Error(complaints)
    }
    await this.#owned[Symbol.asyncDispose]()
  }
}

/** The hierarchy of an earlier test vanishes some time after its last user, and nothing tells when. */
async function hybridForCrun(helper: NativeHelper): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await helper.mountCgroupHugetlb()
      return
    } catch (error) {
      if (attempt === 100) throw error
      await setTimeout(20)
    }
  }
}

export function which(program: string): string {
  for (const directory of ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/bin', '/sbin']) {
    const found = join(directory, program)
    if (spawnSync('test', ['-x', found]).status === 0) return found
  }
  throw new Error(`${program} is not installed`)
}

/** Output frames of a process without a terminal, put together per stream. */
export function unframe(bytes: Buffer): { readonly stdout: string; readonly stderr: string } {
  const texts: Buffer[][] = [[], [], []]
  for (let at = 0; at < bytes.length;) {
    const size = bytes.readUInt32BE(at + 4)
    if (size > 32_768) throw new Error(`frame of ${size} bytes`)
    texts[bytes.readUInt8(at)]?.push(bytes.subarray(at + 8, at + 8 + size))
    at += 8 + size
  }
  return {
    stdout: Buffer.concat(texts[1] ?? []).toString(),
    stderr: Buffer.concat(texts[2] ?? []).toString(),
  }
}

/** All there is to read, framed. */
export async function framed(stream: Duplex): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return unframe(await buffer(stream))
}

/** The messages of a json-file log, as one text. */
export async function logText(file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  return lines.map((line) => (JSON.parse(line) as { log: string }).log).join('')
}

async function busyboxLayer(directory: string): Promise<void> {
  for (const name of ['bin', 'proc', 'sys', 'dev', 'tmp', 'etc'])
    await mkdir(join(directory, name), { recursive: true })
  await copyFile(which('busybox'), join(directory, 'bin/busybox'))
  const list = spawnSync(which('busybox'), ['--list'], { encoding: 'utf8' }).stdout
  const names = list.split('\n').filter((name) => name !== '' && name !== 'busybox')
  for (const name of names) await symlink('busybox', join(directory, 'bin', name))
  await writeFile(join(directory, 'etc/not-executable'), 'text\n', { mode: 0o644 })
}

function processOf(options: Pick<ContainerOptions, 'args' | 'tty' | 'user' | 'cwd'>): object {
  return {
    terminal: options.tty === true,
    user: options.user ?? { uid: 0, gid: 0 },
    args: options.args,
    env: ['PATH=/bin', 'HOME=/', 'TERM=xterm'],
    cwd: options.cwd ?? '/',
    capabilities: { bounding: ['CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'] },
    noNewPrivileges: true,
  }
}

function specOf(id: string, options: ContainerOptions, network: string): object {
  const namespaces = ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type }))
  const net = network === 'host' ? [] : [{ type: 'network', path: '/proc/self/ns/net' }]
  return {
    ociVersion: '1.0.0',
    process: processOf(options),
    root: { path: 'rootfs' },
    hostname: 'test',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
      ...(options.mounts ?? []),
    ],
    linux: {
      namespaces: [...namespaces, ...net],
      cgroupsPath: `/berth-test-${id}`,
      resources:
        options.memory === undefined ? {} : { memory: { limit: options.memory, swap: options.memory } },
      ...(options.rootfsPropagation === undefined ? {} : { rootfsPropagation: options.rootfsPropagation }),
    },
  }
}

/** Numbers of the processes whose command line mentions `text`. */
export async function processesNaming(text: string): Promise<readonly number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const command = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '')
    if (command.includes(text)) found.push(Number(name))
  }
  return found
}
