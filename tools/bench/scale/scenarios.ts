/** What answers take when there are many containers, alone and under clients that poll. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Contender, openContest } from '../contenders.ts'
import { median, rotated } from '../measure.ts'
import { type Row, Samples } from '../samples.ts'
import { eachEngine, engineMemory, IMAGE } from '../scenarios.ts'
import { EngineApi } from './engine-api.ts'
import { askLoop, type LoopFigures, loopEnvironment, minuteSummary } from './event-loop.ts'
import { CLIENTS, poll, questions, timeOf } from './polling.ts'
import { ENDED, populate, RUNNING } from './population.ts'

const MINUTE_MS = 60_000
const POLLED = ['`ps`', '`ps -a`', '`inspect`']

interface Effort {
  /** Repetitions of what takes milliseconds. */
  readonly iterations: number
  /** Repetitions of what takes seconds. */
  readonly rounds: number
  /** Of polling, for each engine. */
  readonly minutes: number
  readonly signal: AbortSignal
  readonly progress: (text: string) => void
}

export interface ScaleResult {
  readonly versions: string
  readonly columns: readonly Contender[]
  readonly rows: readonly Row<Contender>[]
  /** Of our engine, one for each minute of polling. */
  readonly loop: readonly LoopFigures[]
}

interface Populated extends Contender {
  readonly api: EngineApi
  /** Ids of what runs. */
  readonly running: readonly string[]
}

/** `tool`: the program that starts Docker; `archive`: a root filesystem to make an image of. */
export async function manyContainers(tool: string, archive: string, effort: Effort): Promise<ScaleResult> {
  using opened = new DisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'berth-bench-loop-'))
  opened.defer(() => rmSync(directory, { recursive: true }))
  const loopSocket = join(directory, 'sock')
  await using contest = await openContest(tool, false, loopEnvironment(loopSocket))
  const columns = eachEngine(contest.contenders)
  const populated: Populated[] = []
  for (const contender of columns) {
    effort.progress(`making ${ENDED + RUNNING} containers, ${contender.engine.name}`)
    await contender.engine.import(archive, IMAGE)
    const api = opened.use(new EngineApi(contender.engine.socket))
    populated.push({ ...contender, api, running: await populate(api) })
  }
  const alone = [
    ...(await answers(populated, effort)),
    await eventLatency(populated, effort),
    await diskUsage(populated, effort),
  ]
  await askLoop(loopSocket)
  const polled = await underClients(populated, effort, loopSocket)
  return {
    versions: columns.map(({ engine }) => engine.description).join('; '),
    columns: populated,
    rows: [...alone, ...polled.rows],
    loop: polled.loop,
  }
}

/** One question after the other. */
async function answers(
  engines: readonly Populated[],
  { iterations, signal, progress }: Effort,
): Promise<readonly Row<Contender>[]> {
  const rows: Row<Contender>[] = []
  for (const { name, path } of questions) {
    const samples = new Samples<Contender>()
    for (let turn = 0; turn < iterations; turn++) {
      progress(`${name} ${turn + 1}/${iterations}`)
      signal.throwIfAborted()
      for (const engine of rotated(engines, turn)) {
        const id = engine.running[turn % engine.running.length] ?? ''
        samples.add(engine, await timeOf(engine.api.ask('GET', path(id))))
      }
    }
    rows.push(samples.row(name, 'ms'))
  }
  return rows
}

/** From a request until who follows events reads of it. */
async function eventLatency(
  engines: readonly Populated[],
  { iterations, progress }: Effort,
): Promise<Row<Contender>> {
  const samples = new Samples<Contender>()
  for (let turn = 0; turn < iterations; turn++) {
    progress(`events ${turn + 1}/${iterations}`)
    for (const engine of rotated(engines, turn)) {
      const id = engine.running[turn % engine.running.length] ?? ''
      const events = await engine.api.follow(
        `/events?filters=${encodeURIComponent('{"event":["exec_create"]}')}`,
      )
      const [took] = await Promise.all([
        timeOf(once(events, 'data')),
        engine.api.ask('POST', `/containers/${id}/exec`, { Cmd: ['true'] }),
      ])
      samples.add(engine, took)
      events.destroy()
    }
  }
  return samples.row('from a request to its line of `events`', 'ms')
}

async function diskUsage(
  engines: readonly Populated[],
  { rounds, progress }: Effort,
): Promise<Row<Contender>> {
  const samples = new Samples<Contender>()
  for (let turn = 0; turn < rounds; turn++) {
    progress(`system df ${turn + 1}/${rounds}`)
    for (const engine of rotated(engines, turn))
      samples.add(engine, await timeOf(engine.api.ask('GET', '/system/df')))
  }
  return samples.row('`system df`', 'ms')
}

/** A minute of polling for each engine in turn, as often as minutes were asked for. */
async function underClients(
  engines: readonly Populated[],
  { minutes, signal, progress }: Effort,
  loopSocket: string,
): Promise<{ readonly rows: readonly Row<Contender>[]; readonly loop: readonly LoopFigures[] }> {
  const samples = new Map(POLLED.map((name) => [name, new Samples<Contender>()]))
  const memory = new Samples<Contender>()
  const loop: LoopFigures[] = []
  for (let turn = 0; turn < minutes; turn++) {
    for (const contender of rotated(engines, turn)) {
      progress(`${CLIENTS} clients, ${contender.name}, minute ${turn + 1}/${minutes}`)
      const times = await poll(contender.api, contender.running, MINUTE_MS, signal)
      for (const [name, row] of samples) row.add(contender, median(times.get(name) ?? []))
      memory.add(contender, engineMemory(contender.engine) / 1e6)
      if (contender.engine.name !== 'berth') continue
      const figures = await askLoop(loopSocket)
      console.error(`minute ${turn + 1}: ${minuteSummary(figures)}`)
      loop.push(figures)
    }
  }
  const rows = [...samples].map(([name, row]) => row.row(`${name}, ${CLIENTS} clients asking`, 'ms'))
  return { rows: [...rows, memory.row('memory of the engine and its shims meanwhile', 'MB')], loop }
}
