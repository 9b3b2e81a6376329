/**
 * berth and Docker side by side, each in a network namespace of its own with nothing but what a scenario makes, so that
 * lists, counts and addresses are the same when the engines are. Docker comes from the tree of `$PEERS_DIR`.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { TestDaemon } from '#test/support/daemon.ts'
import { open, readBody } from './connection.ts'
import { fixtures } from './fixtures.ts'
import type { Player } from './replay.ts'

const NAMESPACE = join(process.env['PEERS_DIR'] ?? '/var/tmp/peers', 'ns/mnt')
const SHARE = '/tmp/peers-share'
const START_PATIENCE_MS = 30_000

/** Names of the images that every scenario finds. */
const base = new Set(['busybox:latest', 'full:latest'])

export abstract class Engine implements Player, AsyncDisposable {
  abstract readonly socket: string
  abstract readonly own: Player['own']

  async ask(method: string, path: string, payload?: string | Uint8Array): Promise<string> {
    const headers = {
      'content-type': payload instanceof Uint8Array ? 'application/x-tar' : 'application/json',
    }
    const answer = await open(this.socket, { method, path: `/v1.44${path}`, headers, payload })
    return (await readBody(answer)).toString()
  }

  async loadImages(): Promise<void> {
    for (const archive of await fixtures()) await this.ask('POST', '/images/load', archive)
  }

  /** Removes what a scenario made. */
  async clear(): Promise<void> {
    const containers = await this.#list<{ Id: string }>('/containers/json?all=1')
    await Promise.all(containers.map(({ Id }) => this.ask('DELETE', `/containers/${Id}?force=1&v=1`)))
    const networks = await this.#list<{ Id: string; Name: string }>('/networks')
    const made = networks.filter(({ Name }) => !['bridge', 'host', 'none'].includes(Name))
    await Promise.all(made.map(({ Id }) => this.ask('DELETE', `/networks/${Id}`)))
    await this.ask('POST', '/volumes/prune?filters={"all":["true"]}')
    await this.#clearImages()
  }

  /** Fails when something is there that no object of the engine's explains. */
  async assertNoLeaks(): Promise<void> {}

  async #clearImages(): Promise<void> {
    const images = await this.#list<{ Id: string; RepoTags: string[] | null }>('/images/json?all=1')
    const gone = new Set(images.flatMap(({ RepoTags }) => RepoTags ?? []))
    for (const { Id, RepoTags } of images) {
      const names = RepoTags ?? []
      if (names.some((name) => base.has(name))) {
        for (const name of names.filter((each) => !base.has(each)))
          await this.ask('DELETE', `/images/${name}`)
      } else {
        await this.ask('DELETE', `/images/${Id}?force=1`)
      }
    }
    if ([...base].some((name) => !gone.has(name))) await this.loadImages()
  }

  async #list<T>(path: string): Promise<T[]> {
    return JSON.parse(await this.ask('GET', path)) as T[]
  }

  abstract [Symbol.asyncDispose](): Promise<void>
}

class Berth extends Engine {
  readonly socket: string
  readonly own: Player['own']
  readonly #daemon: TestDaemon

  constructor(daemon: TestDaemon) {
    super()
    this.#daemon = daemon
    this.socket = daemon.socket
    const { dataRoot, execRoot, cgroupParent } = daemon.marks
    this.own = [
      [dataRoot, '<root>'],
      [execRoot, '<run>'],
      [cgroupParent, '<cgroup parent>'],
    ]
  }

  override async assertNoLeaks(): Promise<void> {
    await this.#daemon.assertNoLeaks()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]()
    rmSync(this.#daemon.marks.dataRoot, { recursive: true, force: true })
  }
}

class Docker extends Engine {
  readonly socket: string
  readonly own: Player['own']
  readonly #name = `berth-compat-${randomBytes(3).toString('hex')}`
  #process: ChildProcess | undefined

  constructor() {
    super()
    this.socket = join(SHARE, this.#name, 'docker.sock')
    this.own = [
      [`/run/${this.#name}/data`, '<root>'],
      [`/run/${this.#name}/exec`, '<run>'],
      ['/var/run/docker', '<run>'],
    ]
  }

  async start(): Promise<void> {
    mkdirSync(join(SHARE, this.#name))
    execFileSync('ip', ['netns', 'add', this.#name])
    this.#inside('ip', 'link', 'set', 'lo', 'up')
    const roots = ['--data-root', `/run/${this.#name}/data`, '--exec-root', `/run/${this.#name}/exec`]
    const rest = ['-p', `/run/${this.#name}/pid`, '-H', `unix:///share/${this.#name}/docker.sock`]
    // In a mount namespace of its own, which takes its mounts along when it ends.
    const argv = [
      ...this.#namespaces(),
      'unshare',
      '--mount',
      '--propagation',
      'shared',
      'dockerd',
      ...roots,
      ...rest,
    ]
    this.#process = spawn('nsenter', argv, { stdio: 'ignore' })
    const deadline = Date.now() + START_PATIENCE_MS
    while (!(await this.#answers())) {
      if (Date.now() > deadline || this.#process.exitCode !== null) throw new Error('dockerd does not answer')
      await delay(100)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const engine = this.#process
    if (engine !== undefined && engine.exitCode === null) {
      const ended = once(engine, 'exit')
      engine.kill()
      await ended
    }
    this.#inside('rm', '-rf', `/run/${this.#name}`)
    rmSync(join(SHARE, this.#name), { recursive: true, force: true })
    execFileSync('ip', ['netns', 'delete', this.#name])
  }

  async #answers(): Promise<boolean> {
    try {
      return (await this.ask('GET', '/_ping')) === 'OK'
    } catch {
      return false // not listening yet
    }
  }

  #namespaces(): string[] {
    return [`--net=/run/netns/${this.#name}`, `--mount=${NAMESPACE}`, '--wdns=/']
  }

  #inside(...argv: readonly string[]): void {
    spawnSync('nsenter', [...this.#namespaces(), ...argv])
  }
}

/** Why there is no Docker to compare with; undefined when there is. */
export function missingDocker(): string | undefined {
  const { status } = spawnSync('nsenter', [`--mount=${NAMESPACE}`, '--wdns=/', 'dockerd', '--version'])
  return status === 0 ? undefined : `no Docker engine at ${NAMESPACE}`
}

export async function startBerth(): Promise<Engine> {
  // Not below /tmp, which the scenarios bind: what is around the data root propagates otherwise.
  const dataRoot = mkdtempSync('/var/tmp/berth-compat-')
  const engine = new Berth(await TestDaemon.start({ dataRoot }))
  await engine.loadImages()
  return engine
}

export async function startDocker(): Promise<Engine> {
  await using starting = new AsyncDisposableStack()
  const engine = starting.use(new Docker())
  await engine.start()
  await engine.loadImages()
  starting.move()
  return engine
}
