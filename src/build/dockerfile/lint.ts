import { dockerfileError } from './failure.ts'
import { lintCasing, lintComments, lintContinuations, lintStageNames } from './lint-form.ts'
import { lintFromLines } from './lint-from.ts'
import { type BaseImage, lintStage } from './lint-stage.ts'
import type { IgnoreMatcher } from './ignore.ts'
import type { Dockerfile } from './parse.ts'
import {
  type CheckOptions,
  isChecked,
  parseCheckOptions,
  type Report,
  type RuleName,
  rules,
} from './rules.ts'
import { type BuildArguments, globalScope } from './scope.ts'
import { excerpt, type Range } from './source.ts'
import { resolveStages } from './stages.ts'

/** A finding of a build check. */
export interface Warning {
  readonly rule: RuleName
  readonly message: string
  readonly description: string
  readonly range: Range
  /** The lines in question with numbers, the ones meant marked. */
  readonly excerpt: string
}

export interface LintInput {
  readonly file: Dockerfile
  readonly build: BuildArguments
  readonly contexts?: ReadonlySet<string>
  /** Stages to look at; all, as `--check` does, when undefined. */
  readonly stages?: ReadonlySet<number>
  /** Of the main context. */
  readonly ignore?: IgnoreMatcher
  /** What is known of an image. Variables of an unknown one are not checked. */
  readonly baseImage?: (reference: string, stage: number) => BaseImage | undefined
}

export interface LintResult {
  /** In the order of lines. */
  readonly warnings: readonly Warning[]
  /** `error=true` was set and there are warnings: the build has to fail. */
  readonly fatal: boolean
}

/** Runs the build checks. Throws EngineErrors for what no build could get over, such as an unclosed quote. */
export function lint(input: LintInput): LintResult {
  const { file } = input
  const options = checkOptions(input)
  const warnings: Warning[] = []
  const seen = new Set<string>()
  const report: Report = (rule, range, message) => {
    const key = `${rule} ${range.start.line} ${message}`
    if (!isChecked(rule, options) || seen.has(key)) return
    seen.add(key)
    const { description } = rules[rule]
    warnings.push({ rule, message, description, range, excerpt: excerpt(file.source, range) })
  }
  const global = globalScope(file, input.build)
  const graph = resolveStages(file, global, input.contexts)
  lintContinuations(file, report)
  lintStageNames(file, report)
  lintComments(file, report)
  lintCasing(file, report)
  lintFromLines(graph, global, input.build, report)
  lintStage({ graph, global, report, ...input })
  warnings.sort((a, b) => a.range.start.line - b.range.start.line || a.rule.localeCompare(b.rule))
  return { warnings, fatal: options.error && warnings.length > 0 }
}

function checkOptions({ file, build }: LintInput): CheckOptions {
  const directive = file.directives.find(({ name }) => name === 'check')
  const text = build.buildArgs['BUILDKIT_DOCKERFILE_CHECK'] ?? directive?.value ?? ''
  const options = parseCheckOptions(text)
  if (!('problem' in options)) return options
  const range = directive?.range ?? file.source.lineRange(1)
  const hint = 'Write # check=skip=Rule,Rule;error=true.'
  throw dockerfileError(file.source, range, `failed to parse check options: ${options.problem}`, hint)
}
