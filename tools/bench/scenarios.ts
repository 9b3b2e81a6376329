import { output } from '../run-program.ts'
import { type BenchedEngine, CONTAINER, type Contender, proportionalSetSize } from './contenders.ts'
import { rotated, timed } from './measure.ts'
import { type Row as RowOf, Samples } from './samples.ts'

export type Row = RowOf<Contender>

export const IMAGE = 'berth-bench-busybox'
const START_COUNT = 40
const START_WIDTH = 8
const LISTED = 200
const LOG_SECONDS = 3
const LINE = '0123456789'.repeat(10).slice(1)

export interface Effort {
  /** Repetitions of what takes milliseconds. */
  readonly iterations: number
  /** Repetitions of what takes seconds. */
  readonly rounds: number
  readonly progress: (text: string) => void
}

export interface Scenario {
  readonly name: string
  run(contenders: readonly Contender[], effort: Effort): Promise<readonly Row[]>
}

export const scenarios: readonly Scenario[] = [
  { name: 'run', run: runTrue },
  { name: 'exec', run: execTrue },
  { name: 'starts', run: manyStarts },
  { name: 'ps', run: listContainers },
  { name: 'logs', run: logLines },
]

async function runTrue(
  contenders: readonly Contender[],
  { iterations, progress }: Effort,
): Promise<readonly Row[]> {
  const samples = new Samples<Contender>()
  for (const { client } of contenders) timed([...client, 'run', '--rm', IMAGE, 'true'])
  for (let turn = 0; turn < iterations; turn++) {
    progress(`run --rm ${turn + 1}/${iterations}`)
    for (const contender of rotated(contenders, turn)) {
      samples.add(contender, timed([...contender.client, 'run', '--rm', IMAGE, 'true']))
    }
  }
  return [samples.row('`run --rm IMAGE true`, bridge network', 'ms')]
}

async function execTrue(
  contenders: readonly Contender[],
  { iterations, progress }: Effort,
): Promise<readonly Row[]> {
  const samples = new Samples<Contender>()
  for (const { client } of eachEngine(contenders)) {
    timed([...client, 'run', '-d', '--name', CONTAINER, IMAGE, 'sleep', '3600'])
  }
  for (const { client } of contenders) timed([...client, 'exec', CONTAINER, 'true'])
  for (let turn = 0; turn < iterations; turn++) {
    progress(`exec ${turn + 1}/${iterations}`)
    for (const contender of rotated(contenders, turn)) {
      samples.add(contender, timed([...contender.client, 'exec', CONTAINER, 'true']))
    }
  }
  for (const { client } of eachEngine(contenders)) timed([...client, 'rm', '-f', CONTAINER])
  return [samples.row('`exec CONTAINER true`', 'ms')]
}

/** Starts, memory while they run, and removal: one round gives all three. */
async function manyStarts(
  contenders: readonly Contender[],
  { rounds, progress }: Effort,
): Promise<readonly Row[]> {
  const starts = new Samples<Contender>()
  const removals = new Samples<Contender>()
  const idle = new Samples<Contender>()
  const memory = new Samples<Contender>()
  for (let turn = 0; turn < rounds; turn++) {
    for (const contender of rotated(contenders, turn)) {
      progress(`${START_COUNT} starts, ${contender.name}, ${turn + 1}/${rounds}`)
      const before = engineMemory(contender.engine)
      const took = inParallel(contender, START_COUNT, [
        'run',
        '-d',
        '--name',
        `${CONTAINER}-{}`,
        IMAGE,
        'sleep',
        '3600',
      ])
      starts.add(contender, (START_COUNT * 1000) / took)
      idle.add(contender, before / 1e6)
      memory.add(contender, (engineMemory(contender.engine) - before) / START_COUNT / 1e6)
      removals.add(contender, timed([...contender.client, 'rm', '-f', ...names(START_COUNT)]))
    }
  }
  return [
    starts.row(`${START_COUNT} × \`run -d\`, ${START_WIDTH} at a time`, '/s'),
    removals.row(`\`rm -f\` of ${START_COUNT} running`, 'ms'),
    memory.row('memory per idle container', 'MB'),
    idle.row('memory of the engine without containers', 'MB'),
  ]
}

async function listContainers(contenders: readonly Contender[], effort: Effort): Promise<readonly Row[]> {
  const samples = new Samples<Contender>()
  for (const contender of eachEngine(contenders)) {
    effort.progress(`making ${LISTED} containers, ${contender.engine.name}`)
    inParallel(contender, LISTED, ['create', '--name', `${CONTAINER}-{}`, IMAGE, 'true'])
  }
  for (let turn = 0; turn < effort.iterations; turn++) {
    effort.progress(`ps ${turn + 1}/${effort.iterations}`)
    for (const contender of rotated(contenders, turn)) {
      samples.add(contender, timed([...contender.client, 'ps', '-a']))
    }
  }
  for (const { client } of eachEngine(contenders)) timed([...client, 'rm', '-f', ...names(LISTED)])
  return [samples.row(`\`ps -a\` with ${LISTED} containers`, 'ms')]
}

/** Lines of 100 bytes that are on the disk when the container has ended, per second of its life. */
async function logLines(
  contenders: readonly Contender[],
  { rounds, progress }: Effort,
): Promise<readonly Row[]> {
  const samples = new Samples<Contender>()
  const command = ['sh', '-c', `yes "$0" & sleep ${LOG_SECONDS}; kill $!`, LINE]
  const engines = eachEngine(contenders)
  for (let turn = 0; turn < rounds; turn++) {
    for (const contender of rotated(engines, turn)) {
      progress(`logs, ${contender.engine.name}, ${turn + 1}/${rounds}`)
      const { client, engine } = contender
      // Docker does not rotate unless it is told to; the same words for all keep every line.
      const started = timed([
        ...client,
        'run',
        '-d',
        '--name',
        CONTAINER,
        '--log-opt',
        'max-size=8g',
        IMAGE,
        ...command,
      ])
      const took = started + timed([...client, 'wait', CONTAINER])
      const path = (await output([...client, 'inspect', '--format', '{{.LogPath}}', CONTAINER])).trim()
      samples.add(contender, ((await engine.lines(path)) * 1000) / took)
      timed([...client, 'rm', '-f', CONTAINER])
    }
  }
  return [samples.row('log lines of 100 bytes, to the disk', '/s')]
}

/** The first contender of every engine: where the client makes no difference, once is enough. */
export function eachEngine(contenders: readonly Contender[]): Contender[] {
  return contenders.filter(
    ({ engine }, at) => contenders.findIndex((other) => other.engine === engine) === at,
  )
}

/** Runs one command `count` times, a few at once; `{}` in it is the number. Returns the time for all, in milliseconds. */
function inParallel({ client }: Contender, count: number, command: readonly string[]): number {
  const numbers = Array.from({ length: count }, (_, number) => `${number}\n`).join('')
  return timed(['xargs', '-P', String(START_WIDTH), '-I', '{}', ...client, ...command], numbers)
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${CONTAINER}-${number}`)
}

export function engineMemory(engine: BenchedEngine): number {
  return engine.processes().reduce((sum, pid) => sum + proportionalSetSize(pid), 0)
}
