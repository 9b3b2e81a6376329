import { didYouMean } from '#base/nearest.ts'
import { EngineError, messageOf } from '#base/errors.ts'
import { parsePlatform, type Platform } from '#oci/platform.ts'
import { type Expansion, expandWord } from './expansion.ts'
import { dockerfileError, locating } from './failure.ts'
import type { Dockerfile, Stage } from './parse.ts'
import { mountFrom } from './run-mount.ts'
import type { GlobalScope } from './scope.ts'
import type { Range } from './source.ts'
import { type Origin, StageNames } from './stage-names.ts'

/** Something a stage takes from elsewhere. */
export interface Dependency {
  readonly by: 'from' | 'copy' | 'mount'
  /** As written, expanded. */
  readonly name: string
  readonly origin: Origin
  readonly range: Range
}

export interface ResolvedStage {
  readonly stage: Stage
  /** Its name, or `stage-N`. */
  readonly name: string
  /** Set when a named context takes the place of the whole stage. */
  readonly replacedBy: string | undefined
  /** The base, as `dependencies` has it. */
  readonly base: Dependency
  /** What the FROM line asks for; otherwise that of the base stage or the target platform. */
  readonly platform: Platform | undefined
  /** Without the base. */
  readonly dependencies: readonly Dependency[]
  /** What the image name was expanded from. */
  readonly imageExpansion: Expansion
  readonly platformExpansion: Expansion | undefined
}

export interface StageGraph {
  readonly file: Dockerfile
  readonly stages: readonly ResolvedStage[]
}

/**
 * Expands the FROM lines and finds what each stage takes from where. `contexts` are the names of the build's named
 * contexts; they go before stages and images. Dependencies among stages have no cycles afterwards.
 */
export function resolveStages(
  file: Dockerfile,
  global: GlobalScope,
  contexts: ReadonlySet<string> = new Set(),
): StageGraph {
  const names = new StageNames(file, contexts)
  const stages = file.stages.map((stage) => resolveStage(file, stage, global, names))
  const graph = { file, stages }
  checkCycles(graph)
  return graph
}

/** The stage to build: by name, by number, or the last. */
export function findTarget({ stages }: StageGraph, target: string | undefined): ResolvedStage {
  const last = stages.at(-1)
  if (target === undefined || target === '') {
    if (last !== undefined) return last
  } else {
    const wanted = target.toLowerCase()
    const found = stages.findLast(({ stage }) => stage.from.name === wanted)
    if (found !== undefined) return found
    const numbered = /^\d+$/.test(target) ? stages[Number(target)] : undefined
    if (numbered !== undefined) return numbered
  }
  const names = stages.flatMap(({ stage }) => stage.from.name ?? [])
  const near = didYouMean(target ?? '', names)
  const hint =
    names.length === 0
      ? 'No stage has a name; add one with FROM image AS name.'
      : `Stages are ${names.join(', ')}.`
  throw new EngineError(
    'invalid_argument',
    `target stage ${JSON.stringify(target)} could not be found${near}\n${hint}`,
    {
      code: 'BUILD_TARGET_UNKNOWN',
      details: { target, stages: names },
    },
  )
}

/**
 * The stages that `target` needs, itself last, each after those it depends on. A stage that takes from a later one is
 * an error here, and only when it is needed.
 */
export function stagesFor(graph: StageGraph, target: ResolvedStage): readonly ResolvedStage[] {
  const needed = new Set<number>([target.stage.index])
  // Dependencies have smaller numbers, so one pass from behind sees all.
  for (let index = target.stage.index; index >= 0; index--) {
    const resolved = graph.stages[index]
    if (resolved === undefined || !needed.has(index) || resolved.replacedBy !== undefined) continue
    for (const dependency of [resolved.base, ...resolved.dependencies]) {
      if (dependency.origin.type !== 'stage') continue
      if (dependency.origin.index >= index) throw tooEarly(graph.file, resolved, dependency)
      needed.add(dependency.origin.index)
    }
  }
  return graph.stages.filter(({ stage }) => needed.has(stage.index))
}

function resolveStage(file: Dockerfile, stage: Stage, global: GlobalScope, names: StageNames): ResolvedStage {
  const { from, index } = stage
  const expand = (text: string): Expansion =>
    locating(file.source, from.range, () => expandWord(text, global.lookup, { escape: file.escape }))
  const imageExpansion = expand(from.image)
  const image = imageExpansion.text
  if (image === '') {
    const hint = 'Give the argument a default, or a value with --build-arg.'
    throw dockerfileError(file.source, from.range, `base name (${from.image}) should not be blank`, hint)
  }
  const platformExpansion = from.platform === undefined ? undefined : expand(from.platform)
  return {
    stage,
    name: from.name ?? `stage-${index}`,
    replacedBy: from.name === undefined ? undefined : names.context(from.name),
    base: { by: 'from', name: image, origin: names.base(image, index, from.range), range: from.range },
    platform: readPlatform(file, from.range, platformExpansion?.text),
    dependencies: sourcesOf(file, stage, names),
    imageExpansion,
    platformExpansion,
  }
}

function readPlatform(file: Dockerfile, range: Range, text: string | undefined): Platform | undefined {
  if (text === undefined || text === '') return undefined
  try {
    return parsePlatform(text)
  } catch (error) {
    const hint = 'A platform is like linux/arm64.'
    throw dockerfileError(file.source, range, `failed to parse platform ${text}: ${messageOf(error)}`, hint)
  }
}

function sourcesOf(file: Dockerfile, stage: Stage, names: StageNames): readonly Dependency[] {
  const { index } = stage
  return stage.instructions.flatMap((instruction): Dependency[] => {
    const { kind, range } = instruction
    if (kind === 'copy' && instruction.from !== undefined) {
      const origin = names.source(instruction.from, index, range)
      return [{ by: 'copy', name: instruction.from, origin, range }]
    }
    if (kind !== 'run') return []
    return instruction.mounts.flatMap((mount) => {
      const name = locating(file.source, range, () => mountFrom(mount))
      return name === undefined
        ? []
        : [{ by: 'mount', name, origin: names.source(name, index, range), range }]
    })
  })
}

/** Fails for stages that need themselves, also over others: takes away, again and again, what needs nothing more. */
function checkCycles({ file, stages }: StageGraph): void {
  const needs = stages.map((resolved) => (resolved.replacedBy === undefined ? stageEdges(resolved) : []))
  const neededBy = stages.map((): number[] => [])
  needs.forEach((edges, index) => edges.forEach(({ index: other }) => neededBy[other]?.push(index)))
  const open = needs.map((edges) => edges.length)
  const free = [...open.keys()].filter((index) => open[index] === 0)
  for (let index = free.pop(); index !== undefined; index = free.pop()) {
    for (const other of neededBy[index] ?? []) {
      const left = (open[other] ?? 0) - 1
      open[other] = left
      if (left === 0) free.push(other)
    }
  }
  // A cycle goes down the file somewhere; that reference is the one to show.
  const wrong = needs
    .flatMap((edges, index) => edges.map((edge) => ({ ...edge, from: index })))
    .find((edge) => edge.index >= edge.from && open[edge.from] !== 0 && open[edge.index] !== 0)
  if (wrong === undefined) return
  const message = `circular dependency detected on stage: ${stages[wrong.index]?.name ?? ''}`
  throw dockerfileError(file.source, wrong.range, message, 'A stage can only take from stages above it.')
}

function stageEdges({ base, dependencies }: ResolvedStage): { index: number; range: Range }[] {
  return [base, ...dependencies].flatMap(({ origin, range }) =>
    origin.type === 'stage' ? [{ index: origin.index, range }] : [],
  )
}

export function tooEarly(
  { source }: Dockerfile,
  stage: ResolvedStage,
  { by, name, range }: Dependency,
): EngineError {
  const what = by === 'mount' ? 'mount' : 'copy'
  const message = `cannot ${what} from stage ${JSON.stringify(name)}, it needs to be defined before current stage ${JSON.stringify(stage.name)}`
  return dockerfileError(source, range, message, 'Move that stage above this one.')
}
