import { EngineError, engineErrorOf, messageOf } from '#base/errors.ts'
import { instructionAt } from '#build/dockerfile/instruction-at.ts'
import { lastLine } from '#build/dockerfile/source.ts'
import { CANCELLED, errorOf, statusOf, UNKNOWN } from './grpc/status.ts'
import type { SourceInfo } from './messages/llb.ts'
import type { Of } from './wire/message.ts'

/** The Dockerfile of a build, to show places in it. */
export interface DockerfileSource {
  readonly name: string
  readonly text: string
}

const LANGUAGE = 'Dockerfile'

export function sourceInfo({ name, text }: DockerfileSource): Of<typeof SourceInfo> {
  return { filename: name, data: Buffer.from(text), language: LANGUAGE }
}

/** The same as JSON. */
export function jsonSource({ name: filename, text }: DockerfileSource): object {
  return { filename, language: LANGUAGE, data: Buffer.from(text).toString('base64') }
}

/** Types of errors travel by these names, as JSON. */
const SOURCE_TYPE = 'github.com/moby/buildkit/errdefs.Source+json'

/** A failure of a build as BuildKit's clients expect it: in its words, with the place in the Dockerfile, whose lines they show. */
export function withSource(error: unknown, source: DockerfileSource | undefined): EngineError {
  const details = engineErrorOf(error)?.details ?? {}
  const { line, end } = details
  const { code, ...told } = statusOf(error)
  // Clients show every code but this one before the text.
  const status = { ...told, code: code === CANCELLED ? code : UNKNOWN, message: wordsOf(error) }
  if (source === undefined || typeof line !== 'number') return errorOf(status, error)
  const range = instructionAt(source.text, line)
  const last =
    (Object(end) as { readonly line?: number }).line ?? (range === undefined ? line : lastLine(range))
  const place = { info: jsonSource(source), ranges: [{ start: { line }, end: { line: last } }] }
  const value = Buffer.from(JSON.stringify(place))
  return errorOf({ ...status, details: [...status.details, { typeUrl: SOURCE_TYPE, value }] }, error)
}

/** Without the lines of the Dockerfile, and without the output of the step: clients show both themselves. */
function wordsOf(error: unknown): string {
  const known = engineErrorOf(error)
  if (known === undefined) return messageOf(error)
  const { message, hint, instruction } = known.details
  if (typeof message !== 'string') return known.message
  if (instruction !== undefined) return message
  const [first = ''] = known.message.split('\n', 1)
  return typeof hint === 'string' ? `${first}\n${hint}` : first
}
