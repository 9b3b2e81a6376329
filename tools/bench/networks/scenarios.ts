/** What published ports and names cost. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { output } from '../../run-program.ts'
import { CONTAINER, type Contender } from '../contenders.ts'
import { rotated, timed } from '../measure.ts'
import { Samples } from '../samples.ts'
import { type Effort, IMAGE, type Row, type Scenario, eachEngine, engineMemory } from '../scenarios.ts'
import { HOST_ADDRESS, startNeighbour } from './neighbour.ts'

const SOURCES = join(import.meta.dirname, '../../../native/tests')
const NETWORK = 'berth-bench'
const SECONDS = '2'
const MANY = 1000
const AMONG = 2000
const FIRST = 21_000
const [RATE_PORT, STREAM_PORT] = [5001, 5002]

export const networkScenarios: readonly Scenario[] = [
  { name: 'ports', run: manyPorts },
  { name: 'throughput', run: throughput },
  { name: 'connects', run: connectRate },
  { name: 'names', run: lookUps },
]

/** A start that publishes a range, and the memory that it takes. */
async function manyPorts(
  contenders: readonly Contender[],
  { rounds, progress }: Effort,
): Promise<readonly Row[]> {
  const starts = new Samples<Contender>()
  const memory = new Samples<Contender>()
  const engines = eachEngine(contenders)
  for (let turn = 0; turn < rounds; turn++) {
    for (const contender of rotated(engines, turn)) {
      progress(`${MANY} published ports, ${contender.engine.name}, ${turn + 1}/${rounds}`)
      const before = engineMemory(contender.engine)
      starts.add(contender, timed([...run(contender, range(MANY)), 'sleep', '3600']))
      memory.add(contender, (engineMemory(contender.engine) - before) / 1e6)
      remove(contender)
    }
  }
  return [
    starts.row(`\`run -d\` with ${MANY.toLocaleString('en')} published ports`, 'ms'),
    memory.row('memory of that container', 'MB'),
  ]
}

async function throughput(
  contenders: readonly Contender[],
  { rounds, progress }: Effort,
): Promise<readonly Row[]> {
  const loopback = new Samples<Contender>()
  const outside = new Samples<Contender>()
  using program = compiled('net-bench')
  const engines = eachEngine(contenders)
  for (let turn = 0; turn < rounds; turn++) {
    for (const contender of rotated(engines, turn)) {
      progress(`throughput, ${contender.engine.name}, ${turn + 1}/${rounds}`)
      await serve(contender, program.path, [`${STREAM_PORT}:${STREAM_PORT}`])
      const ask = (inside: readonly string[], address: string) =>
        figure([...inside, program.path, 'stream', address, String(STREAM_PORT), SECONDS])
      loopback.add(contender, await ask(contender.engine.inside, '127.0.0.1'))
      await using neighbour = await startNeighbour(contender.engine.inside)
      outside.add(contender, await ask(neighbour.inside, HOST_ADDRESS))
      remove(contender)
    }
  }
  return [
    loopback.row('published port from loopback, megabytes', '/s'),
    outside.row('published port from another namespace, megabytes', '/s'),
  ]
}

/** One connection after the other, to a port that is published alone, and to the last of many. */
async function connectRate(
  contenders: readonly Contender[],
  { rounds, progress }: Effort,
): Promise<readonly Row[]> {
  const alone = new Samples<Contender>()
  const among = new Samples<Contender>()
  using program = compiled('net-bench')
  const engines = eachEngine(contenders)
  for (let turn = 0; turn < rounds; turn++) {
    for (const contender of rotated(engines, turn)) {
      for (const [samples, more] of [
        [alone, []],
        [among, range(AMONG - 1)],
      ] as const) {
        progress(`connections, ${1 + more.length} ranges, ${contender.engine.name}, ${turn + 1}/${rounds}`)
        // Docker starts a process for each port, which takes minutes, and as long to end: its cell stays empty.
        if (more.length > 0 && contender.name === 'docker') continue
        await serve(contender, program.path, [...more, `${RATE_PORT}:${RATE_PORT}`])
        await using neighbour = await startNeighbour(contender.engine.inside)
        const command = [program.path, 'rate', HOST_ADDRESS, String(RATE_PORT), SECONDS]
        samples.add(contender, await figure([...neighbour.inside, ...command]))
        remove(contender)
      }
    }
  }
  return [
    alone.row('connections from another namespace to a published port', '/s'),
    among.row(`the same, ${AMONG.toLocaleString('en')} ports being published`, '/s'),
  ]
}

/** Names of a network of one's own, asked by a container on it. */
async function lookUps(
  contenders: readonly Contender[],
  { rounds, progress }: Effort,
): Promise<readonly Row[]> {
  const rate = new Samples<Contender>()
  const one = new Samples<Contender>()
  using program = compiled('dns-bench')
  const engines = eachEngine(contenders)
  for (const { client } of engines) {
    await output([...client, 'network', 'create', NETWORK])
    for (const name of ['asker', 'asked']) {
      const where = ['--network', NETWORK, '--name', `${CONTAINER}-${name}`]
      await output([...client, 'run', '-d', ...where, IMAGE, 'sleep', '3600'])
    }
    await output([...client, 'cp', program.path, `${CONTAINER}-asker:/dns-bench`])
  }
  for (let turn = 0; turn < rounds; turn++) {
    for (const contender of rotated(engines, turn)) {
      progress(`names, ${contender.engine.name}, ${turn + 1}/${rounds}`)
      const ask = (window: string) =>
        output([
          ...contender.client,
          'exec',
          `${CONTAINER}-asker`,
          '/dns-bench',
          `${CONTAINER}-asked`,
          SECONDS,
          window,
        ])
      rate.add(contender, Number.parseFloat(await ask('64')))
      one.add(contender, Number(/p50 ([\d.]+)/.exec(await ask('1'))?.[1]))
    }
  }
  for (const { client } of engines) {
    timed([...client, 'rm', '-f', `${CONTAINER}-asker`, `${CONTAINER}-asked`])
    timed([...client, 'network', 'rm', NETWORK])
  }
  return [
    rate.row('look-ups of a name, 64 at a time', '/s'),
    one.row('look-up of a name, one after the other, p50', 'µs'),
  ]
}

function range(count: number): string[] {
  const ports = `${FIRST}-${FIRST + count - 1}`
  return [`${ports}:${ports}`]
}

function run({ client }: Contender, ports: readonly string[]): string[] {
  return [...client, 'run', '-d', '--name', CONTAINER, ...ports.flatMap((port) => ['-p', port]), IMAGE]
}

function remove({ client }: Contender): void {
  timed([...client, 'rm', '-f', CONTAINER])
}

/** Starts a container in which both servers listen. */
async function serve(contender: Contender, program: string, ports: readonly string[]): Promise<void> {
  timed([...run(contender, ports), 'sleep', '3600'])
  const { client } = contender
  await output([...client, 'cp', program, `${CONTAINER}:/net-bench`])
  await output([
    ...client,
    'exec',
    '-d',
    CONTAINER,
    '/net-bench',
    'serve',
    String(RATE_PORT),
    String(STREAM_PORT),
  ])
  await listening(contender)
}

async function listening({ client }: Contender): Promise<void> {
  const port = STREAM_PORT.toString(16).toUpperCase()
  const script = `for i in $(seq 100); do grep -q ':${port} .* 0A ' /proc/net/tcp && exit 0; sleep 0.05; done; exit 1`
  await output([...client, 'exec', CONTAINER, 'sh', '-c', script])
}

async function figure(argv: readonly string[]): Promise<number> {
  return Number(await output(argv))
}

/** One of the programs below native/tests, static, so that it runs in any container. */
function compiled(name: string): Disposable & { readonly path: string } {
  const directory = mkdtempSync(join(tmpdir(), 'berth-bench-program-'))
  const path = join(directory, name)
  const { status, stderr } = spawnSync('gcc', ['-O2', '-static', '-o', path, join(SOURCES, `${name}.c`)])
  if (status !== 0) throw new Error(`gcc: ${stderr.toString()}`)
  return { path, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) }
}
