/**
 * `make bench`: our engine beside Docker (and Podman), in turns, on one machine. Prints the best and the median of
 * each scenario and the ratio of the medians to the first column.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { output } from '../run-program.ts'
import { openContest } from './contenders.ts'
import { loadFacts, machineFacts } from './machine-facts.ts'
import { table } from './report.ts'
import { IMAGE, type Row, scenarios } from './scenarios.ts'

const REPOSITORY = join(import.meta.dirname, '../..')
const IMAGES = join(REPOSITORY, '.cache/images')

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: process.env['PEERS'] ?? join(REPOSITORY, '../shared/tools/peers') },
    iterations: { type: 'string', default: '30' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    podman: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
  },
})

const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(name, () => interrupted.abort(new Error(name)))

await main()

async function main(): Promise<void> {
  const chosen =
    values.only === '' ? scenarios : scenarios.filter(({ name }) => values.only.split(',').includes(name))
  if (chosen.length === 0) throw new Error(`--only takes ${scenarios.map(({ name }) => name).join(', ')}`)
  await output([join(REPOSITORY, 'tools/make-images'), IMAGES])
  await using contest = await openContest(values.peers, values.podman)
  const { contenders, absent } = contest
  for (const reason of absent) console.error(`bench: ${reason}`)
  const engines = [...new Set(contenders.map(({ engine }) => engine))]
  for (const engine of engines) await engine.import(join(IMAGES, 'busybox.tar'), IMAGE)

  const started = performance.now()
  const loadBefore = loadFacts()
  const rows: Row[] = []
  for (const scenario of chosen) {
    rows.push(...(await scenario.run(contenders, effort())))
    progress('')
  }
  const minutes = ((performance.now() - started) / 60_000).toFixed(1)
  const facts = [
    new Date().toISOString().slice(0, 10),
    machineFacts(),
    engines.map(({ description }) => description).join('; '),
    `${values.iterations} iterations, ${values.rounds} rounds, ${minutes} min; ${loadBefore} before, ${loadFacts()} after`,
  ]
  console.log(values.markdown ? '<!-- bench: begin -->' : '')
  console.log(
    `${facts.join('.\n')}.\nEach cell: best / median (ratio of its median to the first column's).\n`,
  )
  console.log(table(rows, contenders))
  if (values.markdown) console.log('<!-- bench: end -->')
}

function effort(): { iterations: number; rounds: number; progress: typeof progress } {
  return { iterations: count(values.iterations), rounds: count(values.rounds), progress }
}

function count(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`not a count: ${text}`)
  return Number(text)
}

/** One line on a terminal, overwritten; also where an interruption is noticed. */
function progress(text: string): void {
  interrupted.signal.throwIfAborted()
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
