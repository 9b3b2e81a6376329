import { EngineError } from '#base/errors.ts'
import { IgnoreMatcher, parseIgnore } from '../dockerfile/ignore.ts'
import { lint, type Warning } from '../dockerfile/lint.ts'
import type { BaseImage } from '../dockerfile/lint-stage.ts'
import { type Dockerfile, parseTrigger } from '../dockerfile/parse.ts'
import { type BuildArguments, unusedBuildArgs } from '../dockerfile/scope.ts'
import type { BuildRequest, ResolvedImage } from '../graph/plan.ts'

export interface CheckInput {
  readonly file: Dockerfile
  readonly request: BuildRequest
  /** One for each platform. */
  readonly builds: readonly CheckedBuild[]
}

export interface CheckedBuild {
  readonly arguments: BuildArguments
  /** Numbers of the stages that are needed. */
  readonly stages: ReadonlySet<number>
  /** What stages stand on, by their number. */
  readonly bases: ReadonlyMap<number, ResolvedImage>
}

/** Runs the build checks over what is built, for all platforms; the same finding is told once. Fails when the file asks for it. */
export function checkBuild({ file, request, builds }: CheckInput): readonly Warning[] {
  const found = new Map<string, Warning>()
  const ignore = request.ignore === undefined ? undefined : new IgnoreMatcher(parseIgnore(request.ignore))
  let fatal = false
  for (const { arguments: build, stages, bases } of builds) {
    const result = lint({
      file,
      build,
      contexts: new Set(request.contexts.keys()),
      stages,
      ...(ignore === undefined ? {} : { ignore }),
      baseImage: (_, stage) => baseImageOf(bases.get(stage)),
    })
    fatal ||= result.fatal
    for (const warning of result.warnings)
      found.set(`${warning.range.start.line} ${warning.rule} ${warning.message}`, warning)
  }
  const warnings = [...found.values()].toSorted((a, b) => a.range.start.line - b.range.start.line)
  if (fatal) throw violation(file, warnings)
  return warnings
}

/** What is to be told besides, as text for people. */
export function noticesOf(file: Dockerfile, build: BuildArguments): readonly string[] {
  const unused = unusedBuildArgs(file, build).toSorted()
  const notices =
    unused.length === 0 ? [] : [`[Warning] One or more build-args [${unused.join(' ')}] were not consumed`]
  const syntax = file.directives.find(({ name }) => name === 'syntax')?.value
  if (syntax === undefined || isBuiltIn(syntax)) return notices
  const foreign = `[Warning] # syntax=${syntax}: frontends are not run; the file is read as an ordinary Dockerfile`
  return [...notices, foreign]
}

function isBuiltIn(syntax: string): boolean {
  return /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@]|$)/.test(syntax)
}

/** What the checks need of it. */
export function baseImageOf(image: Pick<ResolvedImage, 'config'> | undefined): BaseImage | undefined {
  if (image === undefined) return undefined
  const { config, ...platform } = image.config
  const given = (config?.OnBuild ?? []).flatMap((expression) => namesGivenBy(parseTrigger(expression)))
  return {
    environment: [...(config?.Env ?? []).map(pairOf), ...given.map((name) => [name, ''] as const)],
    platform: { os: platform.os, architecture: platform.architecture },
    shell: (config?.Shell ?? []).length > 0,
  }
}

/** Variables that a trigger gives to the stage. */
function namesGivenBy(instruction: ReturnType<typeof parseTrigger>): readonly string[] {
  if (instruction.kind === 'arg') return instruction.declarations.map(({ name }) => name)
  return instruction.kind === 'env' ? instruction.pairs.map(({ key }) => key) : []
}

function pairOf(entry: string): readonly [string, string] {
  const at = entry.indexOf('=')
  return at === -1 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)]
}

function violation(file: Dockerfile, warnings: readonly Warning[]): EngineError {
  const rules = [...new Set(warnings.map(({ rule }) => rule))]
  const findings = warnings.map(
    ({ rule, message, range, excerpt }) => `${rule}: ${message} (line ${range.start.line})\n${excerpt}`,
  )
  const text = [`lint violation found for rules: ${rules.join(', ')}`, ...findings].join('\n')
  return new EngineError('invalid_argument', text, {
    code: 'BUILD_CHECKS_FAILED',
    details: { file: file.source.name, ...warnings[0]?.range.start, rules },
  })
}
