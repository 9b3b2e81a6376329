/**
 * An engine beside whatever else runs on the machine, in the host's network: private roots, socket, bridge, nft table and
 * cgroup parent, all named after one token. Disposing it removes every container and then all of that; what a killed
 * owner left behind is found by its name and removed by the next one.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, globSync, openSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { output } from './run-program.ts'

const REPOSITORY = join(import.meta.dirname, '..')
const IP_FORWARD = '/proc/sys/net/ipv4/ip_forward'
const START_PATIENCE_MS = 20_000

/** What the owner of a root writes into it. */
interface Owner {
  readonly pid: number
  /** Field 22 of /proc/PID/stat: a pid that was used again is not the owner. */
  readonly startTime: string
  /** `net.ipv4.ip_forward` as it was found. */
  readonly ipForward: string
}

export class PrivateEngine implements AsyncDisposable {
  readonly root: string
  readonly socket: string
  readonly host: string
  readonly #token: string
  readonly #owner: Owner
  readonly #environment: NodeJS.ProcessEnv
  #daemon: ChildProcess | undefined
  /** An engine has been up at this root, so there may be containers. */
  #used = false

  private constructor(root: string, owner: Owner, environment: NodeJS.ProcessEnv = {}) {
    this.root = root
    this.socket = join(root, 'sock')
    this.host = `unix://${this.socket}`
    this.#environment = environment
    this.#token = root.slice(root.lastIndexOf('-') + 1)
    this.#owner = owner
  }

  /**
   * Starts one below the temporary directory, after removing what dead owners with the same purpose left. `environment` is
   * added to what the daemon inherits.
   */
  static async start(purpose: string, environment: NodeJS.ProcessEnv = {}): Promise<PrivateEngine> {
    await removeAbandoned(purpose)
    const root = join(tmpdir(), `berth-${purpose}-${randomBytes(3).toString('hex')}`)
    const owner: Owner = {
      pid: process.pid,
      startTime: startTimeOf(process.pid) ?? '',
      ipForward: readFileSync(IP_FORWARD, 'utf8').trim(),
    }
    await mkdir(root, { mode: 0o700 })
    writeFileSync(join(root, 'owner.json'), JSON.stringify(owner))
    await using starting = new AsyncDisposableStack()
    const engine = starting.use(new PrivateEngine(root, owner, environment))
    await engine.up()
    starting.move()
    return engine
  }

  /** What an engine of this purpose left behind when its owner was killed. */
  static abandoned(root: string, owner: Owner): PrivateEngine {
    const engine = new PrivateEngine(root, owner)
    engine.#used = true
    return engine
  }

  get pid(): number {
    return this.#daemon?.pid ?? 0
  }

  /** Of the interface of its default network. */
  get bridge(): string {
    return `berth-${this.#token}`
  }

  get firewallTable(): string {
    return `berth_${this.#token}`
  }

  get cgroupParent(): string {
    return `/berth-${this.#token}`
  }

  get logFile(): string {
    return join(this.root, 'daemon.log')
  }

  /** Starts the daemon (again) and returns when it answers. */
  async up(): Promise<void> {
    const log = openSync(this.logFile, 'a')
    // A session of its own: Ctrl-C is for the owner, which then takes everything down in order.
    this.#daemon = spawn(join(REPOSITORY, 'bin/berthd'), this.#arguments(), {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...this.#environment },
      detached: true,
    })
    await this.#answers(this.#daemon)
    this.#used = true
  }

  /** Ends the daemon and returns when it is gone; containers keep running. */
  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const daemon = this.#daemon
    this.#daemon = undefined
    if (daemon === undefined || hasEnded(daemon)) return
    daemon.kill(signal)
    await once(daemon, 'exit')
  }

  /** Runs berth's command line and returns what it wrote; rejects unless it ends well. */
  async berth(...args: readonly string[]): Promise<string> {
    return output([join(REPOSITORY, 'bin/berth'), '-H', this.host, ...args])
  }

  /** Removes containers, daemon, links, rules, control groups and files. Goes on after a failure and then reports it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using rest = new AsyncDisposableStack()
    rest.defer(() => rmSync(this.root, { recursive: true, force: true }))
    rest.defer(() => this.#restoreForwarding())
    rest.defer(() => this.#removeControlGroups())
    rest.defer(() => removeIfThere(['nft', 'delete', 'table', 'inet', this.firewallTable]))
    rest.defer(() => removeIfThere(['ip', 'link', 'delete', this.bridge]))
    rest.defer(() => this.down())
    if (!this.#used) return
    if (this.#daemon === undefined || hasEnded(this.#daemon)) await this.up()
    const ids = (await this.berth('ps', '--all', '--quiet', '--no-trunc')).split('\n').filter(Boolean)
    if (ids.length > 0) await this.berth('rm', '--force', '--volumes', ...ids)
  }

  #arguments(): string[] {
    const options = {
      host: this.host,
      'data-root': join(this.root, 'data'),
      'exec-root': join(this.root, 'run'),
      bridge: this.bridge,
      'firewall-table': this.firewallTable,
      'cgroup-parent': this.cgroupParent,
    }
    return Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  }

  async #answers(daemon: ChildProcess): Promise<void> {
    const deadline = performance.now() + START_PATIENCE_MS
    const problem = (what: string): Error =>
      new Error(`the engine ${what}:\n${readFileSync(this.logFile, 'utf8')}`)
    while (!(await accepts(this.socket))) {
      if (hasEnded(daemon)) throw problem('ended')
      if (performance.now() > deadline) throw problem('does not answer')
      await delay(5)
    }
  }

  #removeControlGroups(): void {
    const name = this.cgroupParent.slice(1)
    for (const path of globSync([`/sys/fs/cgroup/${name}`, `/sys/fs/cgroup/*/${name}`])) rmdirSync(path)
  }

  /** Engines turn forwarding on and leave it on; a visitor puts back what it found. */
  #restoreForwarding(): void {
    if (this.#owner.ipForward === '0') writeFileSync(IP_FORWARD, '0')
  }
}

async function removeAbandoned(purpose: string): Promise<void> {
  for (const root of globSync(join(tmpdir(), `berth-${purpose}-??????`))) {
    const file = join(root, 'owner.json')
    if (!existsSync(file)) continue
    const owner = JSON.parse(readFileSync(file, 'utf8')) as Owner
    if (startTimeOf(owner.pid) === owner.startTime) continue
    await endDaemonOf(join(root, 'data/lock'))
    await PrivateEngine.abandoned(root, owner)[Symbol.asyncDispose]()
  }
}

/** The daemon of a killed owner goes on; the lock of its data root names it. */
async function endDaemonOf(lock: string): Promise<void> {
  const pid = existsSync(lock) ? Number(readFileSync(lock, 'utf8').split(' ')[0]) : 0
  const started = pid > 0 ? startTimeOf(pid) : undefined
  if (started === undefined || !readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('berthd')) return
  process.kill(pid, 'SIGTERM')
  const deadline = performance.now() + START_PATIENCE_MS
  while (startTimeOf(pid) === started && performance.now() < deadline) await delay(10)
}

function startTimeOf(pid: number): string | undefined {
  const file = `/proc/${pid}/stat`
  if (!existsSync(file)) return undefined
  const text = readFileSync(file, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

async function removeIfThere(argv: readonly string[]): Promise<void> {
  try {
    await output(argv)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (!/No such file|Cannot find device/.test(text)) throw error
  }
}

async function accepts(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(path)
  socket.once('connect', () => resolve(true))
  socket.once('error', () => resolve(false))
  try {
    return await promise
  } finally {
    socket.destroy()
  }
}
