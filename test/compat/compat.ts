/**
 * Replays the scenarios against berth and against Docker, and prints what differs, field by field.
 *
 *   make compat                       everything; fails on a difference that docs/compatibility.md does not list, and
 *                                     on a listed one that no longer occurs
 *   make compat ARGS='volumes/*'      scenarios of these names; `--all` shows listed differences too, `--leaks` looks
 *                                     after each scenario whether berth gave everything back
 */
import { parseArgs } from 'node:util'
import { type Accepted, accepts, acceptedOf } from './accepted.ts'
import { type Difference, answerDifferences } from './compare.ts'
import { type Engine, missingDocker, startBerth, startDocker } from './engines.ts'
import { globMatches, replay } from './replay.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

interface Found extends Difference {
  readonly scenario: string
  readonly step: string
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean', default: false }, leaks: { type: 'boolean', default: false } },
})

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function chosen(): readonly Scenario[] {
  if (positionals.length === 0) return scenarios
  return scenarios.filter(({ name }) => positionals.some((pattern) => globMatches(pattern, name)))
}

async function played(docker: Engine, berth: Engine, scenario: Scenario): Promise<Found[]> {
  const [theirs, ours] = await Promise.all([replay(docker, scenario), replay(berth, scenario)])
  const left = await leftBy(docker, berth)
  return theirs
    .flatMap(({ step, document, unexpected }, i) => {
      const mistakes =
        unexpected === undefined
          ? []
          : [{ field: '(a mistake in the scenario)', docker: unexpected, berth: '' }]
      const found = [...mistakes, ...answerDifferences(document, ours[i]?.document)]
      return found.map((each) => ({ scenario: scenario.name, step, ...each }))
    })
    .concat(left.map((leak) => ({ scenario: scenario.name, step: 'clear', ...leak })))
}

/** What berth does not give back when all is removed: that is a difference too. */
async function leftBy(docker: Engine, berth: Engine): Promise<Difference[]> {
  try {
    await Promise.all([docker.clear(), berth.clear()])
    if (values.leaks) await berth.assertNoLeaks()
    return []
  } catch (error) {
    return [{ field: 'leaks', docker: '', berth: error instanceof Error ? error.message : String(error) }]
  }
}

function print({ scenario, step, field, docker, berth }: Found): void {
  say(`${scenario} › ${step} › ${field}\n    docker  ${short(docker)}\n    berth   ${short(berth)}`)
}

function short(text: string): string {
  return text.length > 400 ? `${text.slice(0, 400)}…` : text
}

/** The listed differences that did not occur. */
function stale(accepted: readonly Accepted[], found: readonly Found[]): readonly Accepted[] {
  return positionals.length > 0 ? [] : accepted.filter((row) => !found.some((each) => accepts(row, each)))
}

async function main(): Promise<number> {
  const accepted = acceptedOf()
  await using docker = await startDocker()
  await using berth = await startBerth()
  const found: Found[] = []
  const list = chosen()
  const isListed = (each: Found): boolean => accepted.some((row) => accepts(row, each))
  for (const scenario of list) {
    const differences = await played(docker, berth, scenario)
    for (const each of differences) if (values.all || !isListed(each)) print(each)
    found.push(...differences)
  }

  const unlisted = found.filter((each) => !isListed(each))
  const gone = stale(accepted, found)
  for (const { line } of gone) say(`docs/compatibility.md:${line} lists a difference that does not occur`)
  const known = found.length - unlisted.length
  say(`${list.length} scenarios: ${unlisted.length} differences that are not listed, ${known} that are`)
  return unlisted.length + gone.length > 0 ? 1 : 0
}

const missing = missingDocker()
if (missing !== undefined) {
  say(`compat: ${missing}`)
  process.exitCode = 2
} else {
  process.exitCode = await main()
}
