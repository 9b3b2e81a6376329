import { stripVTControlCharacters } from 'node:util'
import { type EngineError, engineErrorOf, messageOf } from '#base/errors.ts'
import { instructionAt } from '#build/dockerfile/instruction-at.ts'
import { excerpt, Source } from '#build/dockerfile/source.ts'
import { DAEMON_ERROR } from '#client/errors.ts'
import { type BuildState, titleOf } from './build-state.ts'

/** A Dockerfile that the client can read. */
export interface KnownDockerfile {
  readonly name: string
  readonly text: string
}

/** The lines of a Dockerfile that a message ends with, as the engine shows them. */
const EXCERPT = /\n(\S[^\n]*:\d+\n-{20}\n[^]*\n-{20})\n*$/

/**
 * How a build that failed ends: the step and the last lines it has written, the place in the Dockerfile, and at last the
 * one line that says what went wrong.
 */
export function failureText(state: BuildState, error: unknown, dockerfile?: KnownDockerfile): string {
  const known = engineErrorOf(error)
  const message = known?.message ?? messageOf(error)
  const { message: plain, step, line, output } = known?.details ?? {}
  const place = EXCERPT.exec(message)?.[1] ?? placeOf(dockerfile, line)
  // A step and its place are shown above; the message begins with both.
  const isStep = typeof plain === 'string' && typeof step === 'string'
  const words = isStep ? plain : message.replace(EXCERPT, '').trimEnd()
  const whose = known?.code === DAEMON_ERROR ? 'failed to solve: ' : ''
  const shown = place === undefined ? '' : `${linesOf(place)}\n`
  return `${stepText(state, output)}${shown}ERROR: failed to build: ${whose}${linesOf(words)}${nextStep(known)}\n`
}

/** A Dockerfile may be anything, also commands for the terminal. */
function linesOf(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, '\u{fffd}')
}

/** What helps where the words, which are BuildKit's, leave it open. */
function nextStep(error: EngineError | undefined): string {
  const { code, id } = error?.details ?? {}
  if (code === 'BUILD_SECRET_MISSING') return `\nGive it with --secret id=${String(id)},src=FILE.`
  return code === 'BUILD_AGENT_MISSING' ? `\nGive it with --ssh ${String(id)}.` : ''
}

/** The last output of the step that failed; empty when it was no step that did. `output` is what the engine knows of it. */
function stepText(state: BuildState, output: unknown): string {
  const failed = [...state.steps.values()].find(({ update }) => update.error !== undefined)
  if (failed === undefined) return ''
  const seen = failed.lines.map(({ text, after }) => `${(after / 1000).toFixed(3)} ${plainText(text)}`)
  const told = typeof output === 'string' ? output.trimEnd().split(/\r?\n/).slice(-LINES) : []
  // The end may be what was left out for a client that did not read in time.
  const isSeen = plainText(told.at(-1) ?? '') === plainText(failed.lines.at(-1)?.text ?? '')
  const lines = isSeen || told.join('') === '' ? seen : told.map(plainText)
  if (lines.length === 0) return ''
  const rule = '------\n'
  return `${rule} > ${titleOf(failed.update)}:\n${lines.map((line) => `${line}\n`).join('')}${rule}`
}

/** As many as are remembered of a step here. */
const LINES = 10

function plainText(text: string): string {
  return stripVTControlCharacters(text.slice(text.lastIndexOf('\r') + 1))
}

/** The lines of the instruction that begins at that line. */
function placeOf(dockerfile: KnownDockerfile | undefined, line: unknown): string | undefined {
  if (dockerfile === undefined || typeof line !== 'number') return undefined
  const { name, text } = dockerfile
  const source = new Source(text, name)
  return line >= 1 && line <= source.lines
    ? excerpt(source, instructionAt(text, line) ?? source.lineRange(line))
    : undefined
}
