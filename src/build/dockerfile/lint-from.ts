import { didYouMean } from '#base/nearest.ts'
import { EngineError } from '#base/errors.ts'
import { formatPlatform, parsePlatform, type Platform } from '#oci/platform.ts'
import { parseReference } from '#oci/reference.ts'
import { expandWord } from './expansion.ts'
import type { Report } from './rules.ts'
import { type BuildArguments, type GlobalScope, globalScope } from './scope.ts'
import type { ResolvedStage, StageGraph } from './stages.ts'

/** Checks of the FROM lines: their arguments and platforms. */
export function lintFromLines(
  graph: StageGraph,
  global: GlobalScope,
  build: BuildArguments,
  report: Report,
): void {
  const defaults = globalScope(graph.file, { ...build, buildArgs: {} })
  const names = new Set(graph.stages.map(({ stage }) => stage.from.name))
  for (const resolved of graph.stages) {
    lintArguments(resolved, global, report)
    lintDefault(resolved, defaults, names, graph.file.escape, report)
    lintPlatform(resolved, build, report)
  }
}

function lintArguments(resolved: ResolvedStage, global: GlobalScope, report: Report): void {
  const { imageExpansion, platformExpansion, stage } = resolved
  for (const name of [...imageExpansion.missing, ...(platformExpansion?.missing ?? [])]) {
    const near = didYouMean(name, global.values.keys())
    report('UndefinedArgInFrom', stage.from.range, `FROM argument '${name}' is not declared${near}`)
  }
}

/** Whether the image still has a name when nobody gives arguments. */
function lintDefault(
  { stage }: ResolvedStage,
  defaults: GlobalScope,
  names: ReadonlySet<string | undefined>,
  escape: '\\' | '`',
  report: Report,
): void {
  const { image, range } = stage.from
  try {
    const name = expandWord(image, defaults.lookup, { escape }).text
    if (!names.has(name)) parseReference(name)
  } catch (error) {
    // Not a name, or `${IMAGE:?}` asks for one.
    if (!(error instanceof EngineError)) return
    report(
      'InvalidDefaultArgInFrom',
      range,
      `Default value for ARG ${image} results in empty or invalid base image name`,
    )
  }
}

function lintPlatform(
  { stage, platformExpansion }: ResolvedStage,
  build: BuildArguments,
  report: Report,
): void {
  if (platformExpansion === undefined) return
  const { platform = '', range, name = '' } = stage.from
  const { used, missing, text } = platformExpansion
  if (used.size === 0 && missing.size === 0) {
    const parsed = platformOf(text)
    if (parsed === undefined || name.includes(parsed.os) || name.includes(parsed.architecture)) return
    const message = `FROM --platform flag should not use constant value ${JSON.stringify(text)}`
    report('FromPlatformFlagConstDisallowed', range, message)
  } else if (used.size === 1 && missing.size === 0 && used.has('TARGETPLATFORM')) {
    if (text !== (build.buildArgs['TARGETPLATFORM'] ?? formatPlatform(build.targetPlatform))) return
    report(
      'RedundantTargetPlatform',
      range,
      `Setting platform to predefined ${platform} in FROM is redundant as this is the default behavior`,
    )
  }
}

function platformOf(text: string): Platform | undefined {
  try {
    return parsePlatform(text)
  } catch (error) {
    if (error instanceof EngineError) return undefined
    throw error
  }
}
