import { EngineError, engineErrorOf, messageOf } from '#base/errors.ts'
import type { Step } from './keys.ts'

/**
 * The failure of a step as a person meets it: which step, where in the Dockerfile, and the end of what it said. Kind and code
 * are those of what went wrong; `details` has `step`, `stage`, `line`, `instruction` and `output` besides.
 */
export function stepFailed(step: Step, error: unknown, output: string): EngineError {
  const cause = engineErrorOf(error)
  const { kind, code } = cause ?? ({ kind: 'internal', code: 'BUILD_STEP_FAILED' } as const)
  const { name, stage, line, instruction } = step.label
  const said = output === '' ? '' : `\n${output.replaceAll(/^/gm, '  | ')}`
  const message = cause?.message ?? messageOf(error)
  return new EngineError(kind, `${name} (line ${line}): ${message}${said}`, {
    code,
    cause: error,
    details: { ...cause?.details, message, step: name, stage, line, instruction, output },
  })
}

/** What went wrong, beside the name of the step. */
export function plainMessage(error: unknown): string {
  const message = engineErrorOf(error)?.details['message']
  return typeof message === 'string' ? message : messageOf(error)
}

/** Its layer was removed while it was being recorded, and again when it was done once more. */
export function layerLost(step: Step): EngineError {
  return new EngineError('unavailable', `${step.label.name}: its layer was removed meanwhile; build again`, {
    code: 'BUILD_LAYER_LOST',
    details: { step: step.label.name },
  })
}
