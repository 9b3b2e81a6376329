/** Engines with nothing in them, each on a filesystem made for the run and in the network that the registry is in. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { output, runProgram } from '../../run-program.ts'
import { freshFilesystem } from './fresh-filesystem.ts'

const REPOSITORY = join(import.meta.dirname, '../../..')
const SHARE = '/tmp/peers-share'
const PATIENCE_MS = 30_000

export interface FreshEngine extends AsyncDisposable {
  /** The client that drives it, to be followed by a command. */
  readonly client: readonly string[]
  /** What `pull` and `push` need to speak plain HTTP with the registry. */
  readonly plain: readonly string[]
}

interface Peers {
  /** The `peers` tool. */
  readonly tool: string
  /** The way into their network. */
  readonly network: readonly string[]
}

/** Brings the peers up, whose network everything here shares; disposing takes them down if it brought them up. */
export async function openPeers(tool: string): Promise<Peers & AsyncDisposable> {
  const running = (await runProgram(['docker', '-H', `unix://${SHARE}/docker.sock`, 'version'])).code === 0
  if (!running) await output([tool, 'start'])
  const { PEERS_DIR = '/var/tmp/peers' } = process.env
  return {
    tool,
    network: ['nsenter', `--net=${PEERS_DIR}/ns/net`],
    async [Symbol.asyncDispose]() {
      if (!running) await output([tool, 'stop'])
    },
  }
}

/** Makes an engine for one run. */
type EngineMaker = (peers: Peers) => Promise<FreshEngine>

/** dockerd of the peers, with its own containerd. */
export const dockerFresh: EngineMaker = async ({ tool }) => {
  await using stack = new AsyncDisposableStack()
  const inside = [tool, 'exec']
  stack.use(await freshFilesystem(`${SHARE}/bench.img`, '/bench', { run: inside, file: '/share/bench.img' }))
  const socket = `${SHARE}/bench.sock`
  const stop = await daemon({
    command: [
      ...inside,
      'dockerd',
      '--data-root=/bench/data',
      '--exec-root=/run/bench-docker',
      '--pidfile=/run/bench-docker.pid',
      '--bip=172.31.0.1/16',
      '--host=unix:///share/bench.sock',
    ],
    log: `${SHARE}/bench-docker.log`,
    ready: ['docker', '-H', `unix://${socket}`, 'version'],
  })
  stack.defer(stop)
  return { client: ['docker', '-H', `unix://${socket}`], plain: [], ...disposable(stack) }
}

export const podmanFresh: EngineMaker = async ({ tool }) => {
  await using stack = new AsyncDisposableStack()
  const inside = [tool, 'exec']
  stack.use(await freshFilesystem(`${SHARE}/bench.img`, '/bench', { run: inside, file: '/share/bench.img' }))
  const client = [
    ...inside,
    'podman',
    '--root=/bench/storage',
    '--runroot=/run/bench-podman',
    '--runtime=runc',
  ]
  return { client, plain: ['--tls-verify=false'], ...disposable(stack) }
}

/** Our daemon; the client is docker's, as for Docker itself. */
export const berthFresh: EngineMaker = async ({ network }) => {
  await using stack = new AsyncDisposableStack()
  const root = mkdtempSync(join(tmpdir(), 'berth-bench-pull-'))
  stack.defer(() => rmSync(root, { recursive: true, force: true }))
  const mounted = await freshFilesystem(join(root, 'img'), join(root, 'fs'), {
    run: [],
    file: join(root, 'img'),
  })
  stack.use(mounted)
  mkdirSync(join(root, 'run'))
  const token = root.slice(-6).toLowerCase()
  const host = `unix://${root}/sock`
  const stop = await daemon({
    command: [
      ...network,
      join(REPOSITORY, 'bin/berthd'),
      `--host=${host}`,
      `--data-root=${mounted.path}/data`,
      `--exec-root=${root}/run`,
      `--bridge=bb-${token}`,
      `--firewall-table=berth_${token}`,
      `--cgroup-parent=/berth-bench-${token}`,
    ],
    log: join(root, 'log'),
    ready: ['docker', '-H', host, 'version'],
  })
  stack.defer(async () => {
    await runProgram([...network, 'nft', 'delete', 'table', 'inet', `berth_${token}`])
    await runProgram([...network, 'ip', 'link', 'delete', `bb-${token}`])
    await runProgram([
      'sh',
      '-c',
      `rmdir /sys/fs/cgroup/berth-bench-${token} /sys/fs/cgroup/*/berth-bench-${token} 2>/dev/null`,
    ])
  })
  stack.defer(stop)
  return { client: ['docker', '-H', host], plain: [], ...disposable(stack) }
}

interface DaemonOptions {
  readonly command: readonly string[]
  readonly log: string
  /** Succeeds once it serves. */
  readonly ready: readonly string[]
}

/** Starts it and returns what ends it. */
async function daemon({ command, log, ready }: DaemonOptions): Promise<() => Promise<void>> {
  const [program = '', ...args] = command
  const file = openSync(log, 'w')
  const child = spawn(program, args, { stdio: ['ignore', file, file], detached: true })
  const ended = once(child, 'exit')
  const stop = async (): Promise<void> => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM')
    await ended
    // The peers' tool is a script: what it has started ends after it.
    while (groupLives(child.pid)) await delay(20)
    rmSync(log, { force: true })
  }
  const deadline = performance.now() + PATIENCE_MS
  while ((await runProgram(ready)).code !== 0) {
    if (child.exitCode === null && performance.now() < deadline) {
      await delay(50)
      continue
    }
    const text = readFileSync(log, 'utf8').slice(-2000)
    await stop()
    throw new Error(`${command.join(' ')} does not answer:\n${text}`)
  }
  return stop
}

function groupLives(group: number | undefined): boolean {
  if (group === undefined) return false
  try {
    return process.kill(-group, 0)
  } catch {
    return false
  }
}

/** Hands what was opened so far to its new owner. */
function disposable(stack: AsyncDisposableStack): AsyncDisposable {
  const owned = stack.move()
  return {
    async [Symbol.asyncDispose]() {
      await owned.disposeAsync()
      await output(['sync'])
    },
  }
}
