/**
 * A real daemon for tests: private data and exec root, socket, bridge, nft table, cgroup parent, and a network namespace
 * of its own. Disposing it removes every container, checks for leaks, ends the daemon and removes the namespace.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { assertDescribed } from './described.ts'
import { type Marks, type Model, assertNoLeaks, assertResolverEnds } from './leak-check.ts'

export const REPOSITORY: string = join(import.meta.dirname, '..', '..')
export const NODE: string = join(REPOSITORY, 'node_modules/node/bin/node')

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
  readonly text: string
  json<T = Record<string, unknown>>(): T
}

export interface TestDaemonOptions {
  readonly args?: readonly string[]
  /** Where the daemon's data lives; default: a directory below the system's temporary one. */
  readonly dataRoot?: string
  /** The command that becomes the daemon, `argv`; for a daemon that sees other files than the machine has. */
  readonly dress?: (...argv: readonly string[]) => readonly string[]
  /** The daemon's standard input, as node:child_process takes it. */
  readonly stdin?: object
}

export class TestDaemon implements AsyncDisposable {
  readonly root: string
  readonly socket: string
  readonly marks: Marks
  readonly #args: readonly string[]
  readonly #stdin: 'ignore' | object
  readonly #dress: (...argv: readonly string[]) => readonly string[]
  #process: ChildProcess | undefined

  private constructor(root: string, options: TestDaemonOptions) {
    const name = `berth-t-${randomBytes(4).toString('hex')}`
    this.root = root
    this.socket = join(root, 'sock')
    this.marks = {
      execRoot: join(root, 'run'),
      dataRoot: options.dataRoot ?? join(root, 'data'),
      cgroupParent: `/${name}`,
      netns: name,
      firewallTable: name.replaceAll('-', '_'),
    }
    this.#args = options.args ?? []
    this.#stdin = options.stdin ?? 'ignore'
    this.#dress = options.dress ?? ((...argv) => argv)
  }

  static async start(options: TestDaemonOptions = {}): Promise<TestDaemon> {
    const daemon = new TestDaemon(mkdtempSync(join(tmpdir(), 'berth-')), options)
    execFileSync('ip', ['netns', 'add', daemon.marks.netns])
    try {
      execFileSync('nsenter', [`--net=/run/netns/${daemon.marks.netns}`, 'ip', 'link', 'set', 'lo', 'up'])
      await daemon.up()
    } catch (error) {
      await daemon.#vanish()
      throw error
    }
    return daemon
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  get host(): string {
    return `unix://${this.socket}`
  }

  get log(): string {
    return readFileSync(join(this.root, 'daemon.log'), 'utf8')
  }

  /** Starts the daemon (again) and waits until it answers. */
  async up(): Promise<void> {
    const log = openSync(join(this.root, 'daemon.log'), 'a')
    const child = this.#spawn(log)
    closeSync(log)
    this.#process = child
    await this.#answers(child)
  }

  #spawn(log: number): ChildProcess {
    const { execRoot, dataRoot, cgroupParent, netns, firewallTable } = this.marks
    const daemon = [NODE, join(REPOSITORY, 'src/bin/berthd.ts'), '-H', this.host]
    const roots = ['--data-root', dataRoot, '--exec-root', execRoot, '--cgroup-parent', cgroupParent]
    const rest = [
      '--firewall-table',
      firewallTable,
      '--bridge',
      'berth0',
      '--log-level',
      'debug',
      ...this.#args,
    ]
    const command = this.#dress(...daemon, ...roots, ...rest)
    return spawn('nsenter', [`--net=/run/netns/${netns}`, ...command], {
      stdio: [this.#stdin as 'ignore', log, log],
    })
  }

  /** Ends the daemon and waits until it is gone; containers keep running. */
  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }

  /** The exit status of a daemon that ends by itself. */
  async ended(): Promise<number | null> {
    const child = this.#process
    if (child === undefined) return null
    if (child.exitCode === null && child.signalCode === null) {
      await once(child, 'exit', { signal: AbortSignal.timeout(20_000) })
    }
    return child.exitCode
  }

  /** A request whose answer is read as a stream: events, logs, archives. Bytes are sent as an archive. */
  async open(method: string, path: string, body?: unknown): Promise<IncomingMessage> {
    const payload = body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body)
    const type = body instanceof Uint8Array ? 'application/x-tar' : 'application/json'
    const headers =
      payload === undefined
        ? {}
        : { 'content-type': type, 'content-length': String(Buffer.byteLength(payload)) }
    const outgoing = request({ socketPath: this.socket, method, path, headers, agent: false })
    // A daemon that is killed breaks the connection more than once; the first time is told below.
    outgoing.on('error', () => undefined)
    outgoing.end(payload)
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    return response
  }

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await this.open(method, path, body)
    const bytes = await buffer(response)
    const text = bytes.toString()
    assertDescribed(method, path, { status: response.statusCode ?? 0, headers: response.headers, text })
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      bytes,
      text,
      json: <T>() => JSON.parse(text) as T,
    }
  }

  /** Runs berth's CLI; rejects only when it cannot be run at all. */
  berth(...args: string[]): Result {
    return run(NODE, [join(REPOSITORY, 'src/bin/berth.ts'), '-H', this.host, ...args])
  }

  /** Runs the real docker client. */
  docker(...args: string[]): Result {
    return run('docker', ['-H', this.host, ...args])
  }

  /** The first column of the first row, from the daemon's own database. */
  query(sql: string): string {
    using database = new DatabaseSync(join(this.marks.dataRoot, 'berth.db'), { readOnly: true })
    return Object.values(database.prepare(sql).get() ?? {}).join()
  }

  /** Runs a program in the daemon's network namespace: "the host" of its containers. */
  inside(...argv: string[]): Result {
    return run('nsenter', [`--net=/run/netns/${this.marks.netns}`, ...argv])
  }

  async model(): Promise<Model> {
    const all = (await this.call('GET', '/containers/json?all=1')).json<
      {
        Id: string
        State: string
        Ports: { PublicPort?: number }[]
        NetworkSettings: { Networks: Record<string, { EndpointID: string }> }
      }[]
    >()
    const { Volumes } = (await this.call('GET', '/volumes')).json<{ Volumes: { Name: string }[] | null }>()
    const live = all.filter(({ State }) => State === 'running' || State === 'paused')
    return {
      running: live.map(({ Id }) => Id),
      containers: all.map(({ Id }) => Id),
      volumes: (Volumes ?? []).map(({ Name }) => Name),
      ports: live.flatMap(({ Ports }) => Ports.filter(({ PublicPort }) => PublicPort !== undefined)).length,
      ...(await this.#networks(live)),
    }
  }

  async #networks(
    live: readonly { NetworkSettings: { Networks: Record<string, { EndpointID: string }> } }[],
  ): Promise<Pick<Model, 'bridges' | 'endpoints' | 'parents'>> {
    const all = (await this.call('GET', '/networks')).json<
      { Id: string; Driver: string; Options: Record<string, string> }[]
    >()
    const bridges = all
      .filter(({ Driver }) => Driver === 'bridge')
      .map(({ Id, Options }) => Options['com.docker.network.bridge.name'] ?? `br-${Id.slice(0, 12)}`)
    const endpoints = live
      .flatMap(({ NetworkSettings }) => Object.values(NetworkSettings.Networks))
      .filter(({ EndpointID }) => EndpointID !== '')
    const parents = all
      .filter(({ Driver }) => Driver === 'macvlan' || Driver === 'ipvlan')
      .map(({ Id, Options }) => Options['parent'] || `dm-${Id.slice(0, 12)}`)
    return { bridges, endpoints: endpoints.length, parents }
  }

  async assertNoLeaks(): Promise<void> {
    await assertNoLeaks(this.marks, () => this.model())
  }

  async removeAll(): Promise<void> {
    const { containers } = await this.model()
    await Promise.all(containers.map((id) => this.call('DELETE', `/containers/${id}?force=1&v=1`)))
    await this.call('POST', '/networks/prune')
    // Those that only hold a configuration are never pruned.
    const left = (await this.call('GET', '/networks')).json<{ Id: string; ConfigOnly: boolean }[]>()
    for (const { Id } of left.filter(({ ConfigOnly }) => ConfigOnly)) {
      await this.call('DELETE', `/networks/${Id}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#process?.exitCode !== null || this.#process.signalCode !== null) await this.up()
      await this.removeAll()
      await this.assertNoLeaks()
      await this.down()
      await assertResolverEnds(this.marks)
    } finally {
      await this.#vanish()
    }
  }

  async #vanish(): Promise<void> {
    await this.down()
    execFileSync('ip', ['netns', 'delete', this.marks.netns])
    rmSync(this.root, { recursive: true, force: true })
  }

  async #answers(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + 20_000
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`the daemon ended with ${child.exitCode}:\n${this.log}`)
      if (await canConnect(this.socket)) return
      if (Date.now() > deadline) throw new Error(`the daemon does not answer:\n${this.log}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

export interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export function run(program: string, args: readonly string[], input?: string | Uint8Array): Result {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    // While it is waited for nothing else goes on, no limit of a test either.
    timeout: 300_000,
    killSignal: 'SIGKILL',
    ...(input === undefined ? {} : { input }),
  })
  if (error !== undefined) throw error
  return { code: status ?? -1, stdout, stderr }
}

async function canConnect(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false // not listening yet
  } finally {
    socket.destroy()
  }
}
