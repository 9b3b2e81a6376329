/**
 * Other people's programs of today (skopeo, buildah, podman, umoci, dockerd) in the network of a test's daemon, where a tree
 * with them is mounted in a namespace: `$PEERS_DIR/ns/mnt`, with a directory of this machine as /share.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Result, run, type TestDaemon } from './daemon.ts'

const NAMESPACE = join(process.env['PEERS_DIR'] ?? '/var/tmp/peers', 'ns/mnt')
const SHARE = '/tmp/peers-share'

/** Why they cannot be used here; false when they can. */
export function missingPeers(): string | false {
  const { status } = spawnSync('nsenter', [`--mount=${NAMESPACE}`, '--wdns=/', 'skopeo', '--version'])
  return status === 0 ? false : `no programs of others at ${NAMESPACE}`
}

export class Peers implements AsyncDisposable {
  /** The same directory, as this machine and as they see it. */
  readonly here: string
  readonly there: string
  readonly #netns: string
  #dockerd: ChildProcess | undefined

  constructor({ marks }: TestDaemon) {
    this.here = mkdtempSync(join(SHARE, 'strangers-'))
    this.there = join('/share', basename(this.here))
    this.#netns = `/run/netns/${marks.netns}`
  }

  run(...argv: readonly string[]): Result {
    const config = [`DOCKER_CONFIG=${this.there}/docker`, `REGISTRY_AUTH_FILE=${this.there}/auth.json`]
    return run('nsenter', this.#inside('env', ...config, ...argv))
  }

  /** Docker, with an engine of its own: it is started when it is first asked. */
  async docker(...args: readonly string[]): Promise<Result> {
    await this.#engine()
    return this.run('docker', '-H', `unix://${this.there}/docker.sock`, ...args)
  }

  /** containerd's client, with the containerd of that engine. */
  async ctr(...args: readonly string[]): Promise<Result> {
    await this.#engine()
    return this.run('ctr', '--address', `${this.#scratch}/exec/containerd/containerd.sock`, ...args)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const engine = this.#dockerd
    if (engine !== undefined && engine.exitCode === null) {
      const ended = once(engine, 'exit')
      engine.kill()
      await ended
    }
    this.run('sh', '-c', `rm -rf ${this.#scratch}`)
    rmSync(this.here, { recursive: true, force: true })
  }

  /** On their own /tmp, where filesystems can be stacked. */
  get #scratch(): string {
    return join('/tmp', basename(this.here))
  }

  /** Options of podman and buildah that keep what they have apart from what others keep there. */
  get storage(): readonly string[] {
    return ['--root', `${this.#scratch}/store`, '--runroot', `${this.#scratch}/run`]
  }

  #inside(...argv: readonly string[]): string[] {
    return [`--net=${this.#netns}`, `--mount=${NAMESPACE}`, '--wdns=/', ...argv]
  }

  async #engine(): Promise<void> {
    if (this.#dockerd !== undefined) return
    const roots = ['--data-root', `${this.#scratch}/docker`, '--exec-root', `${this.#scratch}/exec`]
    const apart = ['--bridge=none', '--iptables=false', '--ip6tables=false', '-p', `${this.there}/docker.pid`]
    const argv = [
      'unshare',
      '--mount',
      'dockerd',
      ...apart,
      ...roots,
      '-H',
      `unix://${this.there}/docker.sock`,
    ]
    this.#dockerd = spawn('nsenter', this.#inside(...argv), { stdio: 'ignore' })
    for (
      let tries = 0;
      this.run('docker', '-H', `unix://${this.there}/docker.sock`, 'version').code !== 0;
      tries++
    ) {
      if (tries > 100 || this.#dockerd.exitCode !== null) throw new Error('dockerd does not answer')
      await delay(100)
    }
  }
}
