/**
 * `make bench`: our engine beside Docker (and Podman), in turns, on one machine. Prints the best and the median of
 * each scenario and the ratio of the medians to the first column.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { output, runProgram } from '../run-program.ts'
import { openContest } from './contenders.ts'
import { loadFacts, machineFacts } from './machine-facts.ts'
import { table } from './report.ts'
import { buildNames, builds } from './builds/scenarios.ts'
import { makeBenchImage } from './registry/image.ts'
import { engineTransfers, registryThroughput } from './registry/scenarios.ts'
import { composeScenario } from './compose.ts'
import { networkScenarios } from './networks/scenarios.ts'
import { loopSummary } from './scale/event-loop.ts'
import { ENDED, RUNNING } from './scale/population.ts'
import { manyContainers } from './scale/scenarios.ts'
import { IMAGE, type Row, type Scenario, scenarios as containerScenarios } from './scenarios.ts'

const REPOSITORY = join(import.meta.dirname, '../..')
const IMAGES = join(REPOSITORY, '.cache/images')

const scenarios = [...containerScenarios, ...networkScenarios, composeScenario]
const allNames: readonly string[] = [
  ...scenarios.map(({ name }) => name),
  ...buildNames,
  'pull',
  'registry',
  'scale',
]

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: process.env['PEERS'] ?? join(REPOSITORY, '../shared/tools/peers') },
    iterations: { type: 'string', default: '30' },
    rounds: { type: 'string', default: '3' },
    /** Of polling in `scale`, for each engine. */
    minutes: { type: 'string', default: '2' },
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
  const wanted = values.only === '' ? allNames : values.only.split(',')
  const unknown = wanted.filter((name) => !allNames.includes(name))
  if (unknown.length > 0) throw new Error(`--only takes ${allNames.join(', ')}`)
  const started = performance.now()
  const loadBefore = loadFacts()
  const tables: string[] = []
  let versions = ''
  const chosen = scenarios.filter(({ name }) => wanted.includes(name))
  if (chosen.length > 0) {
    const measured = await containers(chosen)
    tables.push(measured.table)
    versions = measured.versions
  }
  tables.push(...(await buildTables(wanted)), ...(await transfers(wanted)))
  if (wanted.includes('scale')) {
    const measured = await scale()
    tables.push(measured.table)
    versions ||= measured.versions
  }
  const minutes = ((performance.now() - started) / 60_000).toFixed(1)
  const facts = [
    new Date().toISOString().slice(0, 10),
    machineFacts(),
    ...(versions === '' ? [] : [versions]),
    `${values.iterations} iterations, ${values.rounds} rounds, ${minutes} min; ${loadBefore} before, ${loadFacts()} after`,
  ]
  console.log(values.markdown ? '<!-- bench: begin -->' : '')
  console.log(
    `${facts.join('.\n')}.\nEach cell: best / median (ratio of its median to the first column's).\n`,
  )
  console.log(tables.join('\n\n'))
  if (values.markdown) console.log('<!-- bench: end -->')
}

/** What containers cost. */
async function containers(
  chosen: readonly Scenario[],
): Promise<{ readonly table: string; readonly versions: string }> {
  await output([join(REPOSITORY, 'tools/make-images'), IMAGES])
  await using contest = await openContest(values.peers, values.podman)
  const { contenders, absent } = contest
  for (const reason of absent) console.error(`bench: ${reason}`)
  const engines = [...new Set(contenders.map(({ engine }) => engine))]
  for (const engine of engines) await engine.import(join(IMAGES, 'busybox.tar'), IMAGE)
  const rows: Row[] = []
  for (const scenario of chosen) {
    rows.push(...(await scenario.run(contenders, effort())))
    progress('')
  }
  return {
    table: table(rows, contenders),
    versions: engines.map(({ description }) => description).join('; '),
  }
}

/** What building images costs. */
async function buildTables(wanted: readonly string[]): Promise<string[]> {
  if (!buildNames.some((name) => wanted.includes(name))) return []
  if ((await runProgram(['sh', '-c', 'test -x "$0" && command -v docker', values.peers])).code !== 0) {
    console.error(`bench: no builders to compare with: ${values.peers} and a docker client are needed`)
    return []
  }
  await output([join(REPOSITORY, 'tools/make-images'), IMAGES])
  const { rows, columns } = await builds(wanted, values.peers, join(IMAGES, 'busybox.tar'), effort())
  progress('')
  return [table(rows, columns)]
}

/** What moving images costs: between an engine and a registry, and for a registry alone. */
async function transfers(wanted: readonly string[]): Promise<string[]> {
  if (!wanted.includes('pull') && !wanted.includes('registry')) return []
  if ((await runProgram(['sh', '-c', 'command -v docker-registry'])).code !== 0) {
    console.error("bench: no registry to compare with: install Debian's docker-registry")
    return []
  }
  const image = await makeBenchImage(join(IMAGES, 'bench'))
  const tables: string[] = []
  if (wanted.includes('pull')) {
    const { rows, columns } = await engineTransfers(values.peers, image, effort())
    tables.push(
      `Image: ${image.description}; each run on a filesystem of its own.\n\n${table(rows, columns)}`,
    )
  }
  if (wanted.includes('registry')) {
    const { rows, columns } = await registryThroughput(image, effort())
    tables.push(table(rows, columns))
  }
  progress('')
  return tables
}

/** What answers cost when there are many containers. */
async function scale(): Promise<{ readonly table: string; readonly versions: string }> {
  await output([join(REPOSITORY, 'tools/make-images'), IMAGES])
  const { columns, rows, loop, versions } = await manyContainers(values.peers, join(IMAGES, 'busybox.tar'), {
    ...effort(),
    minutes: count(values.minutes),
    signal: interrupted.signal,
  })
  progress('')
  const heading = `${ENDED.toLocaleString('en')} containers that have ended and ${RUNNING} that run:`
  return { table: `${heading}\n\n${table(rows, columns)}\n\n${loopSummary(loop)}`, versions }
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
