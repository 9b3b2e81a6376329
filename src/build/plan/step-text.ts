import { EngineError } from '#base/errors.ts'
import { parsePlatform, type Platform } from '#oci/platform.ts'
import { expandWord } from '../dockerfile/expansion.ts'
import { SyntaxFailure } from '../dockerfile/failure.ts'
import type { Placed, StageState } from './stage-state.ts'

/** The instruction as a step's name has it: with variables put in; those of RUN that are not known are the shell's. */
export function stepText({ scope }: StageState, { instruction, file, trigger }: Placed): string {
  const { text, keyword } = instruction
  const written = keyword.text.toUpperCase() + text.slice(keyword.text.length)
  const shown = trigger ? `ONBUILD ${written}` : written
  try {
    const kept = instruction.kind === 'run' ? { keepQuotes: true, keepUnset: true } : {}
    return expandWord(shown, scope.lookup, { escape: file.escape, ...kept }).text
  } catch (error) {
    // Text for a shell, which has rules of its own.
    if (error instanceof SyntaxFailure) return shown
    throw error
  }
}

/** The first line of a document, with dots when there are more. */
export function heredocSummary(content: string): string {
  const [first = '', ...rest] = content.trim().split(/\r?\n/)
  return rest.length === 0 ? first : `${first}...`
}

/** The platform that a cross-compiling stage builds for: what its variables say. */
export function targetOf({ scope }: StageState): Platform | undefined {
  const text = scope.variables.get('TARGETPLATFORM')
  const architecture = scope.variables.get('TARGETARCH')
  if (text === undefined && architecture === undefined) return undefined
  try {
    return text === undefined ? parsePlatform(`linux/${architecture ?? ''}`) : parsePlatform(text)
  } catch (error) {
    if (error instanceof EngineError) return undefined
    throw error
  }
}
