import { didYouMean } from '#base/nearest.ts'
import { formatPlatform, type Platform } from '#oci/platform.ts'
import { expandInstruction, expandMounts, type References } from './expand-instruction.ts'
import { cleanPath } from './ignore.ts'
import type { Instruction } from './instruction.ts'
import type { LintInput } from './lint.ts'
import type { Report } from './rules.ts'
import type { Stage, StageInstruction } from './parse.ts'
import { type GlobalScope, SCANNER_ARGS, StageScope } from './scope.ts'
import type { ResolvedStage, StageGraph } from './stages.ts'

/** What the checks need of a base image's configuration. */
export interface BaseImage {
  readonly environment: readonly (readonly [string, string])[]
  readonly platform: Platform | undefined
  /** It sets a SHELL. */
  readonly shell: boolean
}

interface StageLint extends LintInput {
  readonly graph: StageGraph
  readonly global: GlobalScope
  readonly report: Report
}

/** What a stage hands on to those FROM it. */
interface State {
  readonly scope: StageScope
  /** All variables of the base are known, so an unknown one is a mistake. */
  readonly known: boolean
  workdir: boolean
  shell: boolean
}

/** Docker gives an image without a PATH this one. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const SECRET = /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i
const HARMLESS = /(?:_|^)(?:public|file|version)(?:_|$)/i

/** Checks of the instructions, stage by stage. */
export function lintStage(input: StageLint): void {
  const states: State[] = []
  for (const resolved of input.graph.stages) {
    const state = initialState(input, resolved, states)
    states.push(state)
    const quiet = input.stages !== undefined && !input.stages.has(resolved.stage.index)
    const linter = new StageLinter(quiet ? { ...input, report: () => {} } : input, state)
    linter.stage(resolved.stage)
  }
}

function initialState(input: StageLint, resolved: ResolvedStage, states: readonly State[]): State {
  const { graph, global, report } = input
  const { origin } = resolved.base
  const parent = origin.type === 'stage' ? states[origin.index] : undefined
  if (parent !== undefined) return { ...parent, scope: parent.scope.fork() }
  const path: readonly [string, string] = ['PATH', DEFAULT_PATH]
  if (origin.type === 'scratch')
    return { scope: new StageScope(graph.file, global, [path]), known: true, workdir: false, shell: false }
  const image =
    origin.type === 'image' ? input.baseImage?.(origin.reference, resolved.stage.index) : undefined
  if (image?.platform !== undefined) lintBasePlatform(input, resolved, image.platform, report)
  const scope = new StageScope(graph.file, global, [path, ...(image?.environment ?? [])])
  return { scope, known: image !== undefined, workdir: false, shell: image?.shell ?? false }
}

function lintBasePlatform(input: StageLint, resolved: ResolvedStage, actual: Platform, report: Report): void {
  const expected = resolved.platform ?? input.build.targetPlatform
  if (expected.os === actual.os && expected.architecture === actual.architecture) return
  const [is, should] = [formatPlatform(actual), formatPlatform(expected)].map((text) => JSON.stringify(text))
  report(
    'InvalidBaseImagePlatform',
    resolved.stage.from.range,
    `Base image ${resolved.base.name} was pulled with platform ${is}, expected ${should} for current build`,
  )
}

class StageLinter {
  readonly #input: StageLint
  readonly #state: State
  /** The last CMD, ENTRYPOINT and HEALTHCHECK. */
  readonly #once = new Map<string, Instruction>()

  constructor(input: StageLint, state: State) {
    this.#input = input
    this.#state = state
  }

  stage(stage: Stage): void {
    for (const instruction of stage.instructions) {
      const references: References = { used: new Set(), missing: new Set() }
      const expanded = expandInstruction(this.#input.file, instruction, this.#state.scope.lookup, references)
      if (expanded.kind === 'run')
        expandMounts(this.#input.file, expanded, this.#state.scope.lookup, references)
      this.#references(instruction, references)
      this.#instruction(instruction, expanded)
    }
  }

  #instruction(written: StageInstruction, expanded: StageInstruction): void {
    const { report } = this.#input
    const { range } = written
    switch (expanded.kind) {
      case 'maintainer':
        return report(
          'MaintainerDeprecated',
          range,
          'Maintainer instruction is deprecated in favor of using label',
        )
      case 'cmd':
      case 'entrypoint':
      case 'healthcheck':
        return this.#command(expanded)
      case 'shell':
        this.#state.shell = true
        return
      case 'workdir':
        return this.#workdir(expanded.value, expanded)
      case 'env':
      case 'label': {
        if (expanded.legacy) this.#legacy(expanded)
        if (expanded.kind === 'label') return
        for (const { key, value } of expanded.pairs) {
          this.#secret('ENV', key, expanded)
          this.#state.scope.set(key, value)
        }
        return
      }
      case 'arg':
        return this.#arg(expanded)
      case 'expose':
        return expanded.ports.forEach((port) => this.#port(port, expanded))
      case 'copy':
      case 'add':
        return this.#files(expanded)
      default:
        return undefined
    }
  }

  #arg(instruction: Extract<Instruction, { kind: 'arg' }>): void {
    for (const { name } of instruction.declarations) this.#secret('ARG', name, instruction)
    this.#state.scope.declare(instruction, ({ used, missing }) =>
      this.#references(instruction, { used: new Set(used), missing: new Set(missing) }),
    )
  }

  #command(instruction: Extract<Instruction, { kind: 'cmd' | 'entrypoint' | 'healthcheck' }>): void {
    const { kind, keyword, range } = instruction
    const before = this.#once.get(kind)
    if (before !== undefined)
      this.#input.report(
        'MultipleInstructionsDisallowed',
        before.range,
        `Multiple ${keyword.text} instructions should not be used in the same stage because only the last one will be used`,
      )
    this.#once.set(kind, instruction)
    if (kind === 'healthcheck' || instruction.command.form === 'exec' || this.#state.shell) return
    this.#input.report(
      'JSONArgsRecommended',
      range,
      `JSON arguments recommended for ${keyword.text} to prevent unintended behavior related to OS signals`,
    )
  }

  #legacy({ keyword: { text }, range }: Instruction): void {
    const message = `"${text} key=value" should be used instead of legacy "${text} key value" format`
    this.#input.report('LegacyKeyValueFormat', range, message)
  }

  #workdir(path: string, { range }: Instruction): void {
    if (!this.#state.workdir && !path.startsWith('/'))
      this.#input.report(
        'WorkdirRelativePath',
        range,
        `Relative workdir ${JSON.stringify(path)} can have unexpected results if the base image changes`,
      )
    this.#state.workdir = true
  }

  #secret(title: string, name: string, { range }: Instruction): void {
    if (!SECRET.test(name) || HARMLESS.test(name)) return
    const message = `Do not use ARG or ENV instructions for sensitive data (${title} ${JSON.stringify(name)})`
    this.#input.report('SecretsUsedInArgOrEnv', range, message)
  }

  #port(port: string, { range }: Instruction): void {
    const slash = port.lastIndexOf('/')
    const address = slash === -1 ? port : port.slice(0, slash)
    const protocol = slash === -1 ? '' : port.slice(slash + 1)
    if (protocol !== protocol.toLowerCase())
      this.#input.report(
        'ExposeProtoCasing',
        range,
        `Defined protocol '${port}' in EXPOSE instruction should be lowercase`,
      )
    if (address.includes(':'))
      this.#input.report(
        'ExposeInvalidFormat',
        range,
        `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
      )
  }

  #files(instruction: Extract<Instruction, { kind: 'copy' | 'add' }>): void {
    const { ignore, report } = this.#input
    const elsewhere = instruction.kind === 'copy' && instruction.from !== undefined
    // With exceptions a directory can be ignored and files in it not, which cannot be told from here.
    if (ignore === undefined || ignore.exceptions || elsewhere) return
    for (const source of instruction.sources) {
      if (/^[a-z][a-z0-9+.-]*:\/\/|^git@/i.test(source)) continue
      const path = cleanPath(source).replace(/^\//, '')
      if (!ignore.ignores(path)) continue
      const verb = instruction.kind === 'copy' ? 'Copy' : 'Add'
      const message = `Attempting to ${verb} file ${JSON.stringify(path)} that is excluded by .dockerignore`
      report('CopyIgnoredFile', instruction.range, message)
    }
  }

  #references({ range }: Instruction, { missing }: References): void {
    if (!this.#state.known) return
    const { scope } = this.#state
    for (const name of missing) {
      if (scope.args.has(name) || SCANNER_ARGS.has(name)) continue
      const near = didYouMean(name, scope.variables.keys()).replace('mean ', 'mean $')
      this.#input.report('UndefinedVar', range, `Usage of undefined variable '$${name}'${near}`)
    }
  }
}
