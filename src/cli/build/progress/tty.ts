import type { Paint } from '../../format/colors.ts'
import { printable } from '../../format/progress-screen.ts'
import { columnsOf, fitted } from '../../format/width.ts'
import { type BuildState, elapsed, hasEnded, seconds, type StepState, titleOf } from './build-state.ts'
import { countText } from './counts.ts'

/** How a build is to be looked at. */
export interface View {
  readonly columns: number
  /** Lines there is room for; undefined: all. */
  readonly rows?: number | undefined
  /** Milliseconds since the epoch; `began` is when the build was asked for. */
  readonly now: number
  readonly began: number
  readonly finished: boolean
  readonly paint: Paint
}

/** Lines of output shown below a step that runs, if there is room. */
const OUTPUT = 6

/**
 * A build as a picture: a headline, the steps that have ended, and last those that go on, with a few lines of their output.
 * Never wider or higher than there is room: first output is left out, then the oldest of what has ended.
 */
export function frame(state: BuildState, view: View): string[] {
  const steps = state.begun
  const ended = steps.filter(({ update }) => hasEnded(update))
  const running = view.finished ? [] : steps.filter(({ update }) => !hasEnded(update))
  const room = (view.rows ?? Infinity) - 1
  const below = runningLines(running, room, view)
  const above = (view.finished ? steps : ended).flatMap((step) => stepLines(step, view))
  const fitting = Math.max(0, room - below.length)
  return [headline(steps.length, ended.length, view), ...tail(above, fitting), ...below]
}

function tail(lines: readonly string[], count: number): readonly string[] {
  return count >= lines.length ? lines : count === 0 ? [] : lines.slice(-count)
}

/** `[+] Building 1.2s (5/7)` */
function headline(all: number, ended: number, { now, began, finished, columns, paint }: View): string {
  const text = `[+] Building ${seconds(Math.max(0, now - began))} (${ended}/${all})${finished ? ' FINISHED' : ''}`
  return finished ? paint('blue', fitted(text, columns - 1)) : fitted(text, columns - 1)
}

/** The steps that go on, with as many lines of their output as there is room for. */
function runningLines(running: readonly StepState[], room: number, view: View): string[] {
  const bare = running.flatMap((step) => stepLines(step, view))
  if (bare.length >= room) return [...tail(bare, Math.max(0, room))]
  const talking = running.filter((step) => outputOf(step).length > 0).length
  // A line is left for what has ended last.
  const share = talking === 0 ? 0 : Math.floor((room - bare.length - 1) / talking)
  const output = Math.max(0, Math.min(OUTPUT, share))
  return running.flatMap((step) => [...stepLines(step, view), ...outputLines(step, output, view)])
}

function outputOf({ lines, unfinished }: StepState): string[] {
  return [...lines.map(({ text }) => text), ...(unfinished === '' ? [] : [unfinished])]
}

function outputLines(step: StepState, count: number, { columns, paint }: View): string[] {
  if (count === 0) return []
  const lines = outputOf(step).slice(-count)
  return lines.map((text) =>
    paint('dim', fitted(` => => # ${printable(text.replaceAll('\t', '  '))}`, columns - 1)),
  )
}

/** ` => [2/5] RUN make        1.0s`, and what it counts. */
function stepLines(step: StepState, view: View): string[] {
  const { update } = step
  const time = seconds(elapsed(update, view.now))
  const mark = update.error !== undefined ? 'ERROR ' : update.cached === true ? 'CACHED ' : ''
  const canceled = mark === '' && view.finished && !hasEnded(update) ? 'CANCELED ' : ''
  const color =
    update.error !== undefined ? 'red' : canceled !== '' ? 'yellow' : hasEnded(update) ? 'blue' : undefined
  const line = row(` => ${mark}${canceled}${printable(titleOf(update))}`, time, view.columns)
  const counts = [...step.counts.values()].map((count) => {
    const { started, completed } = count
    const length = started === undefined ? '' : seconds(elapsed({ ...update, started, completed }, view.now))
    const text = ` => => ${printable(countText(count))}`
    const whole = row(text, length, view.columns)
    return completed === undefined ? whole : view.paint('blue', whole)
  })
  return [color === undefined ? line : view.paint(color, line), ...counts]
}

/** Text on the left, a time on the right. One column stays free: some terminals wrap as soon as the last one is filled. */
function row(left: string, right: string, columns: number): string {
  const width = columns - 1
  const room = width - right.length - 1
  if (right === '' || room < 8) return fitted(left, width)
  const text = fitted(left, room)
  return `${text}${' '.repeat(width - right.length - columnsOf(text))}${right}`
}
