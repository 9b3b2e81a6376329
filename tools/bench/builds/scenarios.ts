/** What builds cost, builder beside builder; images of their own, nothing is asked of a registry. */
import { rmSync } from 'node:fs'
import { rotated, timed } from '../measure.ts'
import { type Row, Samples } from '../samples.ts'
import { type Builder, openWorkshop, type Workshop } from './builders.ts'
import { editLast, largeContext, stagesContext, stepsContext } from './contexts.ts'

const FILES = 2000
const STAGES = 4
const MEGABYTES = 1000

interface Effort {
  /** Repetitions of what takes milliseconds. */
  readonly iterations: number
  /** Repetitions of what takes seconds. */
  readonly rounds: number
  readonly progress: (text: string) => void
}

type Measure = (workshop: Workshop, effort: Effort) => Row<Builder>

const measures: Readonly<Record<string, Measure>> = {
  'build-again': buildAgain,
  'build-edit': buildEdit,
  'build-stages': buildStages,
  'build-large': buildLarge,
}

export const buildNames: readonly string[] = Object.keys(measures)

/** `base`: an archive of the root filesystem that images begin with. */
export async function builds(
  wanted: readonly string[],
  tool: string,
  base: string,
  effort: Effort,
): Promise<{ readonly columns: readonly Builder[]; readonly rows: readonly Row<Builder>[] }> {
  await using workshop = await openWorkshop(tool, base)
  const rows = Object.entries(measures)
    .filter(([name]) => wanted.includes(name))
    .map(([, measure]) => measure(workshop, effort))
  return { columns: workshop.builders, rows }
}

/** Nothing has changed. */
function buildAgain({ builders, directory }: Workshop, { iterations, progress }: Effort): Row<Builder> {
  const context = stepsContext(directory, FILES)
  const samples = new Samples<Builder>()
  for (const builder of builders) build(builder, context)
  for (let turn = 0; turn < iterations; turn++) {
    for (const builder of rotated(builders, turn)) {
      progress(`build again, ${builder.name}, ${turn + 1}/${iterations}`)
      samples.add(builder, build(builder, context))
    }
  }
  rmSync(context, { recursive: true })
  return samples.row(`\`build\` again: 10 steps, ${FILES.toLocaleString('en')} files`, 'ms')
}

/** The file that the last step takes has other words each time. */
function buildEdit({ builders, directory }: Workshop, { iterations, progress }: Effort): Row<Builder> {
  const context = stepsContext(directory, FILES)
  const samples = new Samples<Builder>()
  for (const builder of builders) build(builder, context)
  for (let turn = 0; turn < iterations; turn++) {
    for (const builder of rotated(builders, turn)) {
      progress(`build after an edit, ${builder.name}, ${turn + 1}/${iterations}`)
      editLast(context, `${turn} ${builder.name}`)
      samples.add(builder, build(builder, context))
    }
  }
  rmSync(context, { recursive: true })
  return samples.row('the same, a file of the last COPY edited', 'ms')
}

function buildStages({ builders, directory }: Workshop, { rounds, progress }: Effort): Row<Builder> {
  const context = stagesContext(directory, STAGES)
  const samples = new Samples<Builder>()
  for (let turn = 0; turn < rounds; turn++) {
    for (const builder of rotated(builders, turn)) {
      progress(`${STAGES} stages, ${builder.name}, ${turn + 1}/${rounds}`)
      samples.add(builder, build(builder, context, '--no-cache'))
    }
  }
  return samples.row(`${STAGES} stages that sleep a second each`, 'ms')
}

function buildLarge({ builders, directory }: Workshop, { rounds, progress }: Effort): Row<Builder> {
  progress(`making a context of ${MEGABYTES} MB`)
  const context = largeContext(directory, MEGABYTES)
  const samples = new Samples<Builder>()
  for (const builder of builders) {
    progress(`a context of ${MEGABYTES} MB, ${builder.name}, first build`)
    build(builder, context)
  }
  for (let turn = 0; turn < rounds; turn++) {
    for (const builder of rotated(builders, turn)) {
      progress(`a context of ${MEGABYTES} MB, ${builder.name}, ${turn + 1}/${rounds}`)
      samples.add(builder, build(builder, context))
    }
  }
  rmSync(context, { recursive: true })
  return samples.row('`build` again: a context of 1 GB, unchanged', 'ms')
}

/** Milliseconds of one build; in no network, so that nobody's figure has the network's in it. */
function build(builder: Builder, context: string, ...flags: readonly string[]): number {
  return timed([
    ...builder.build,
    '--network=none',
    '--pull=false',
    '--tag=berth-bench-built',
    ...flags,
    builder.seen(context),
  ])
}
