import { isKind } from '#base/errors.ts'
import { parseDockerfile } from './parse.ts'
import type { Range } from './source.ts'

/** The place of the instruction that begins at that line; undefined when none does. */
export function instructionAt(text: string, line: number): Range | undefined {
  try {
    const { stages } = parseDockerfile(text)
    const instructions = stages.flatMap(({ from, instructions: rest }) => [from, ...rest])
    return instructions.find(({ range }) => range.start.line === line)?.range
  } catch (error) {
    // It may have changed since the build began.
    if (isKind(error, 'invalid_argument')) return undefined
    throw error
  }
}
