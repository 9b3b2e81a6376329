import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Contender } from './contenders.ts'
import { rotated, timed } from './measure.ts'
import { Samples } from './samples.ts'
import { type Effort, IMAGE, type Row, type Scenario } from './scenarios.ts'

const SERVICES = 20
/** Seen by both sides; by Docker's as /share. */
const SHARE = '/tmp/peers-share'
const PEER = process.env['PEERS_DIR'] ?? '/var/tmp/peers'

export const composeScenario: Scenario = { name: 'compose', run: composeProject }

/** A project of 20 services in five tiers: up from nothing, up with nothing to do, down. Real Compose drives Docker. */
async function composeProject(
  contenders: readonly Contender[],
  { rounds, progress }: Effort,
): Promise<readonly Row[]> {
  const directory = mkdtempSync(join(SHARE, 'berth-bench-'))
  const sides = contenders.flatMap((contender) => {
    const argv = composeOf(contender, directory)
    return argv === undefined ? [] : [{ contender, argv }]
  })
  const [up, again, down] = [new Samples<Contender>(), new Samples<Contender>(), new Samples<Contender>()]
  try {
    writeFileSync(join(directory, 'compose.yaml'), projectText())
    for (let turn = 0; turn < rounds; turn++) {
      for (const { contender, argv } of rotated(sides, turn)) {
        progress(`compose, ${contender.name}, ${turn + 1}/${rounds}`)
        up.add(contender, timed([...argv, 'up', '-d']))
        again.add(contender, timed([...argv, 'up', '-d']))
        down.add(contender, timed([...argv, 'down', '-t', '0']))
      }
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
  return [
    up.row(`\`compose up -d\`, ${SERVICES} services`, 'ms'),
    again.row('the same again, nothing to do', 'ms'),
    down.row('`compose down` of them', 'ms'),
  ]
}

/** Compose as each side has it; undefined: it has none. */
function composeOf({ name, client }: Contender, directory: string): readonly string[] | undefined {
  const file = join(directory, 'compose.yaml')
  if (name === 'berth CLI') return [...client, 'compose', '-f', file]
  if (name !== 'docker') return undefined
  const inside = ['nsenter', `--mount=${PEER}/ns/mnt`, `--net=${PEER}/ns/net`, '--wdns=/']
  return [...inside, 'docker', 'compose', '-f', join('/share', basename(directory), 'compose.yaml')]
}

function projectText(): string {
  const services = Array.from({ length: SERVICES }, (_, i) => {
    const needs = i < 4 ? '' : `, depends_on: [s${i - 4}]`
    return `  s${i}: {image: ${IMAGE}, command: sleep 3600, environment: {N: "${i}"}${needs}}\n`
  })
  return `name: berth-bench\nservices:\n${services.join('')}`
}
