/** A registry in the network namespace of a test's daemon: Debian's docker-registry, or our own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { hashSync } from 'bcryptjs'
import { NODE, type TestDaemon } from './daemon.ts'

export interface RegistryPeerOptions {
  /** Passwords by name; without any, everybody may do everything. */
  readonly accounts?: Readonly<Record<string, string>>
}

export type PeerKind = 'docker-registry' | 'berth'

const REPOSITORY = join(import.meta.dirname, '..', '..')

/** Why that registry cannot be used here; false when it can. */
export function missingPeer(kind: PeerKind): string | false {
  if (kind === 'berth') return false
  const isThere = spawnSync('docker-registry', ['--version']).error === undefined
  return isThere ? false : 'docker-registry is not installed (apt-get install docker-registry)'
}

export class RegistryPeer implements AsyncDisposable {
  /** `127.0.0.1:PORT`, in the daemon's namespace. */
  readonly host: string
  readonly #daemon: TestDaemon
  readonly #process: ChildProcess

  private constructor(host: string, daemon: TestDaemon, process: ChildProcess) {
    this.host = host
    this.#daemon = daemon
    this.#process = process
  }

  /** Its data lies below the daemon's root, and goes with it. */
  static async start(
    kind: PeerKind,
    daemon: TestDaemon,
    port: number,
    { accounts }: RegistryPeerOptions = {},
  ): Promise<RegistryPeer> {
    const root = join(daemon.root, `registry-${port}`)
    mkdirSync(root)
    const host = `127.0.0.1:${port}`
    const htpasswd = accounts && writeAccounts(join(root, 'htpasswd'), accounts)
    const command = kind === 'berth' ? ours(root, host, htpasswd) : debians(root, host, htpasswd)
    const child = spawn('nsenter', [`--net=/run/netns/${daemon.marks.netns}`, ...command], {
      stdio: 'ignore',
    })
    const registry = new RegistryPeer(host, daemon, child)
    for (let tries = 0; ![200, 401].includes(registry.get('/v2/').status); tries++) {
      if (tries > 400 || child.exitCode !== null) throw new Error(`${kind} does not answer`)
      await delay(25)
    }
    return registry
  }

  get(path: string, accept = '*/*'): { readonly status: number; readonly body: string } {
    const { stdout } = this.#daemon.inside(
      'curl',
      '-s',
      '--max-time',
      '10',
      '-H',
      `Accept: ${accept}`,
      '-w',
      '\n%{http_code}',
      `http://${this.host}${path}`,
    )
    const end = stdout.lastIndexOf('\n')
    return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill()
    await ended
  }
}

function writeAccounts(file: string, accounts: Readonly<Record<string, string>>): string {
  const lines = Object.entries(accounts).map(([name, password]) => `${name}:${hashSync(password, 5)}\n`)
  writeFileSync(file, lines.join(''))
  return file
}

function ours(root: string, host: string, htpasswd: string | undefined): string[] {
  const program = join(REPOSITORY, 'src/bin/berth-registry.ts')
  const accounts = htpasswd === undefined ? [] : ['--htpasswd', htpasswd]
  const options = ['--listen', host, '--root', join(root, 'data'), '--log-level', 'error', ...accounts]
  return [NODE, '--disable-warning=ExperimentalWarning', program, 'serve', ...options]
}

function debians(root: string, addr: string, htpasswd: string | undefined): string[] {
  const file = join(root, 'config.json')
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(root, 'data') } },
    http: { addr },
    ...(htpasswd === undefined ? {} : { auth: { htpasswd: { realm: 'test', path: htpasswd } } }),
  }
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config))
  return ['docker-registry', 'serve', file]
}
