import type { Platform } from '#oci/platform.ts'
import type { StageInstruction } from '../dockerfile/parse.ts'
import type { StageScope } from '../dockerfile/scope.ts'
import type { Range, Source } from '../dockerfile/source.ts'
import type { Filesystem, StepLabel } from '../graph/operations.ts'
import type { ImageDraft } from './image-draft.ts'
import type { StepNames } from './step-names.ts'

/** A stage while its instructions go by; at its end, what stages FROM it begin with. */
export interface StageState {
  readonly index: number
  /** Its name, or `stage-N`. */
  readonly name: string
  /** What its processes run on. */
  readonly platform: Platform
  readonly scope: StageScope
  readonly draft: ImageDraft
  readonly names: StepNames
  readonly uncached: boolean
  filesystem: Filesystem
  /** A CMD of the stage itself; ENTRYPOINT resets an inherited one. */
  hasCommand: boolean
}

/** An instruction and where it stands: in the Dockerfile, or in the ONBUILD of the base. */
export interface Placed<I extends StageInstruction = StageInstruction> {
  readonly instruction: I
  /** The file its ranges are of. */
  readonly file: { readonly source: Source; readonly escape: '\\' | '`' }
  /** In the Dockerfile; the FROM line for a trigger. */
  readonly range: Range
  readonly trigger: boolean
}

/** What people are told of a step; `text` is its instruction with variables put in. */
export function labelOf(state: StageState, { instruction, range, trigger }: Placed, name: string): StepLabel {
  return {
    name,
    stage: state.name,
    instruction: trigger ? `ONBUILD ${instruction.text}` : instruction.text,
    line: range.start.line,
    args: argumentsOf(state),
    uncached: state.uncached,
  }
}

/** Declared arguments with the values that are in effect. */
export function argumentsOf({ scope }: StageState): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Array.from(scope.args, ([name, value]) => [name, scope.variables.get(name) ?? value ?? '']),
  )
}
