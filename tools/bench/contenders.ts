/** Who is measured: an engine together with the client that drives it. */
import { globSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { PrivateEngine } from '../private-engine.ts'
import { output, runProgram } from '../run-program.ts'

const REPOSITORY = join(import.meta.dirname, '../..')
const PEER_SOCKET = '/tmp/peers-share/docker.sock'
const PEER_NETWORK = ['nsenter', `--net=${process.env['PEERS_DIR'] ?? '/var/tmp/peers'}/ns/net`]

/** Every container of a bench is called so, or begins so. */
export const CONTAINER = 'berth-bench'

export interface Contender {
  /** What stands above its column. */
  readonly name: string
  /** The program and its first arguments; a command follows. */
  readonly client: readonly string[]
  readonly engine: BenchedEngine
}

export interface BenchedEngine {
  readonly name: string
  /** Name and version, for the heading. */
  readonly description: string
  /** The unix socket of its API; podman has none. */
  readonly socket: string
  /** Every process of the engine: daemons and what lives as long as a container. */
  processes(): readonly number[]
  /** Number of lines in a file that its inspect names. */
  lines(path: string): Promise<number>
  /** What to put before a command that is to run in the network of the engine's host. */
  readonly inside: readonly string[]
  /** Makes an archive of a root filesystem an image. */
  import(archive: string, image: string): Promise<void>
}

export interface Contest extends AsyncDisposable {
  readonly contenders: readonly Contender[]
  /** Why somebody who could be here is not. */
  readonly absent: readonly string[]
}

/**
 * Starts our engine, and Docker's through the `peers` tool where it and a docker client are there. `environment`: what is
 * added to our engine's.
 */
export async function openContest(
  peers: string,
  withPodman: boolean,
  environment: NodeJS.ProcessEnv = {},
): Promise<Contest> {
  await using opening = new AsyncDisposableStack()
  const engine = opening.use(await PrivateEngine.start('bench', environment))
  const absent: string[] = []
  const contenders: Contender[] = []
  const berth = await berthEngine(engine)
  const docker = await output(['sh', '-c', 'command -v docker']).catch(() => '')
  const hasPeers = (await runProgram(['sh', '-c', 'test -x "$0"', peers])).code === 0

  if (!hasPeers)
    absent.push(`no peers to compare with: ${peers} is not a program (give its path as --peers or PEERS)`)
  if (docker === '') absent.push('no docker client on PATH: only the own command line is measured')
  if (hasPeers && docker !== '') {
    if (!(await answers(PEER_SOCKET))) {
      await output([peers, 'start'])
      opening.defer(async () => void (await output([peers, 'stop'])))
    }
    const client = ['docker', '-H', `unix://${PEER_SOCKET}`]
    opening.defer(async () => removeContainers(client))
    contenders.push({ name: 'docker', client, engine: await dockerEngine(peers) })
  }
  if (hasPeers && withPodman) {
    const client = [peers, 'exec', 'podman']
    opening.defer(async () => removeContainers(client))
    contenders.push({ name: 'podman', client, engine: await podmanEngine(peers) })
  }
  if (docker !== '') contenders.push({ name: 'berth', client: ['docker', '-H', engine.host], engine: berth })
  contenders.push({
    name: 'berth CLI',
    client: [join(REPOSITORY, 'bin/berth'), '-H', engine.host],
    engine: berth,
  })

  const acquired = opening.move()
  return { contenders, absent, [Symbol.asyncDispose]: async () => acquired.disposeAsync() }
}

/** What an earlier or interrupted run left in an engine that is not ours to remove, by its name. */
async function removeContainers(client: readonly string[]): Promise<void> {
  const ids = (await output([...client, 'ps', '-aq', '--filter', `name=^/?${CONTAINER}`]))
    .split('\n')
    .filter(Boolean)
  if (ids.length > 0) await output([...client, 'rm', '-f', ...ids])
}

async function berthEngine(engine: PrivateEngine): Promise<BenchedEngine> {
  const facts = await engine.berth(
    'info',
    '--format',
    '{{.ServerVersion}} ({{.DefaultRuntime}}, {{.Driver}})',
  )
  return {
    name: 'berth',
    description: `berth ${facts.trim()}`,
    socket: engine.socket,
    processes: () =>
      processesWhere((pid) => pid === engine.pid || commandLine(pid).includes(`${engine.root}/run`)),
    inside: [],
    lines: async (path) => countLines(['wc', '-l', path]),
    import: async (archive, image) => void (await engine.berth('import', archive, image)),
  }
}

async function dockerEngine(peers: string): Promise<BenchedEngine> {
  const docker = ['docker', '-H', `unix://${PEER_SOCKET}`]
  const facts = await output([
    ...docker,
    'info',
    '--format',
    '{{.ServerVersion}} ({{.DefaultRuntime}}, {{.Driver}})',
  ])
  const programs = ['dockerd', 'containerd', 'containerd-shim', 'docker-proxy']
  const [daemon] = processesWhere(
    (pid) => commandLine(pid).includes('dockerd') && commandLine(pid).includes('unix:///share/docker.sock'),
  )
  const namespace = daemon === undefined ? '' : mountNamespace(daemon)
  return {
    name: 'docker',
    description: `Docker ${facts.trim()}`,
    socket: PEER_SOCKET,
    processes: () =>
      processesWhere((pid) => programs.includes(programName(pid)) && mountNamespace(pid) === namespace),
    inside: PEER_NETWORK,
    lines: async (path) => countLines([peers, 'exec', 'wc', '-l', path]),
    import: async (archive, image) => void (await output([...docker, 'import', archive, image])),
  }
}

async function podmanEngine(peers: string): Promise<BenchedEngine> {
  const version = await output([peers, 'exec', 'podman', 'version', '--format', '{{.Client.Version}}'])
  return {
    name: 'podman',
    description: `Podman ${version.trim()}`,
    socket: '',
    processes: () => processesWhere((pid) => programName(pid) === 'conmon'),
    inside: PEER_NETWORK,
    lines: async (path) => countLines([peers, 'exec', 'wc', '-l', path]),
    async import(archive, image) {
      await output(['cp', archive, '/tmp/peers-share/bench.tar'])
      await output([peers, 'exec', 'podman', 'import', '/share/bench.tar', image])
      await output(['rm', '/tmp/peers-share/bench.tar'])
    },
  }
}

async function answers(socket: string): Promise<boolean> {
  return (await runProgram(['docker', '-H', `unix://${socket}`, 'version'])).code === 0
}

async function countLines(argv: readonly string[]): Promise<number> {
  return Number((await output(argv)).trim().split(' ')[0])
}

function processesWhere(matches: (pid: number) => boolean): number[] {
  return globSync('/proc/[0-9]*')
    .map((path) => Number(path.slice('/proc/'.length)))
    .filter((pid) => pid !== process.pid && matches(pid))
}

function commandLine(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
}

function programName(pid: number): string {
  return read(`/proc/${pid}/comm`).trim()
}

function mountNamespace(pid: number): string {
  return whileItLives(() => readlinkSync(`/proc/${pid}/ns/mnt`))
}

/** Proportional set size of a process in bytes; 0 when it is gone. */
export function proportionalSetSize(pid: number): number {
  const [, kib = '0'] = /^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`)) ?? []
  return Number(kib) * 1024
}

function read(path: string): string {
  return whileItLives(() => readFileSync(path, 'utf8'))
}

/** Processes end while they are looked at; what is gone has nothing to tell. */
function whileItLives(look: () => string): string {
  try {
    return look()
  } catch {
    return ''
  }
}
