import { stripVTControlCharacters } from 'node:util'
import { engineErrorOf, messageOf } from '#base/errors.ts'
import { DAEMON_ERROR } from '#client/errors.ts'
import { type BuildState, titleOf } from './build-state.ts'

/** The lines of a Dockerfile that a message ends with, as the engine shows them. */
const EXCERPT = /\n(\S[^\n]*:\d+\n-{20}\n[^]*\n-{20})\n*$/

/**
 * How a build that failed ends: the step and the last lines it has written, the place in the Dockerfile, and at last the
 * one line that says what went wrong.
 */
export function failureText(state: BuildState, error: unknown): string {
  const known = engineErrorOf(error)
  const message = known?.message ?? messageOf(error)
  const excerpt = EXCERPT.exec(message)?.[1] ?? textIn(known?.details, 'excerpt')
  const words = message.replace(EXCERPT, '').trimEnd()
  const place = excerpt === undefined ? '' : `${excerpt}\n`
  const whose = known?.code === DAEMON_ERROR ? 'failed to solve: ' : ''
  return `${stepText(state)}${place}ERROR: failed to build: ${whose}${words}\n`
}

/** The output of the step that failed; empty when it was no step that did. */
function stepText(state: BuildState): string {
  const failed = [...state.steps.values()].find(({ update }) => update.error !== undefined)
  if (failed === undefined || failed.lines.length === 0) return ''
  const rule = '------\n'
  const lines = failed.lines.map(
    ({ text, after }) => `${(after / 1000).toFixed(3)} ${stripVTControlCharacters(text)}\n`,
  )
  return `${rule} > ${titleOf(failed.update)}:\n${lines.join('')}${rule}`
}

function textIn(details: Readonly<Record<string, unknown>> | undefined, name: string): string | undefined {
  const value = details?.[name]
  return typeof value === 'string' ? value : undefined
}
