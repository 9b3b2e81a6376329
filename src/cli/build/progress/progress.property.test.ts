import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { BuildUpdate } from '#api/build-updates.ts'
import { columnsOf } from '../../format/width.ts'
import { BuildState } from './build-state.ts'
import { PlainProgress } from './plain.ts'
import { frame } from './tty.ts'
import { count, log, nowAt, vertex } from './updates.fixture.ts'

const STEPS = ['1', '2', '3', '4']

/** What steps do, in any order and with any pauses; each begins before all else, and perhaps ends. */
const events = fc.array(
  fc.record({
    step: fc.constantFrom(...STEPS),
    what: fc.constantFrom('log', 'log', 'log', 'piece', 'count', 'end'),
    pause: fc.constantFrom(0, 1, 100, 3000, 9000),
  }),
  { maxLength: 40 },
)

interface Told {
  readonly updates: readonly (readonly [number, BuildUpdate])[]
  /** The lines that each step has written. */
  readonly written: ReadonlyMap<string, readonly string[]>
}

function tell(list: typeof events extends fc.Arbitrary<infer T> ? T : never): Told {
  const updates: [number, BuildUpdate][] = []
  const texts = new Map<string, string>()
  const ended = new Set<string>()
  let at = 0
  for (const [i, { step, what, pause }] of list.entries()) {
    at += pause
    if (ended.has(step)) continue
    const name = `[${step}/4] RUN ${step}`
    if (!texts.has(step)) updates.push([at, vertex(step, name, { from: at })])
    const before = texts.get(step) ?? ''
    const words = what === 'log' ? `${step} says ${i}\n` : what === 'piece' ? `(${i})` : ''
    texts.set(step, before + words)
    if (words !== '') updates.push([at, log(step, words, at)])
    if (what === 'count') updates.push([at, count(step, 'bytes', i, { total: 100 })])
    if (what === 'end') {
      ended.add(step)
      updates.push([at, vertex(step, name, { from: 0, to: at })])
    }
  }
  const written = new Map(
    [...texts].map(([step, text]) => {
      // Without an end, what was begun last is not a line yet.
      const whole = ended.has(step) ? text : text.slice(0, text.lastIndexOf('\n') + 1)
      return [step, whole.split('\n').filter((line) => line !== '')]
    }),
  )
  return { updates, written }
}

describe('plain progress, whatever steps do', () => {
  it('has every line once, under the number of its step, in order', () => {
    fc.assert(
      fc.property(events, (list) => {
        const { updates, written } = tell(list)
        const state = new BuildState()
        const progress = new PlainProgress(state)
        let text = ''
        for (const [at, update] of updates) text += progress.show(update, state.add(update), nowAt(at))
        text += progress.end()
        const numbers = new Map(
          [...text.matchAll(/^#(\d+) \[(\d)\/4\]/gm)].map(([, number, step]) => [step, number]),
        )
        for (const [step, lines] of written) {
          const shown = [...text.matchAll(new RegExp(`^#${numbers.get(step)} \\d+\\.\\d{3} (.*)$`, 'gm'))]
          assert.deepEqual(
            shown.map(([, line]) => line),
            lines,
          )
        }
      }),
    )
  })
})

describe('the picture, whatever steps do', () => {
  it('fits its room at every moment', () => {
    const room = fc.record({
      columns: fc.integer({ min: 2, max: 130 }),
      rows: fc.integer({ min: 1, max: 30 }),
    })
    fc.assert(
      fc.property(events, room, (list, { columns, rows }) => {
        const state = new BuildState()
        for (const [at, update] of tell(list).updates) {
          state.add(update)
          const view = { columns, rows, now: nowAt(at), began: nowAt(0), finished: false, paint: plain }
          const lines = frame(state, view)
          assert.ok(lines.length <= rows)
          assert.ok(lines.every((line) => columnsOf(line) < columns))
        }
      }),
    )
  })
})

function plain(_style: unknown, text: string): string {
  return text
}
