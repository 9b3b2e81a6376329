import type { BuildOutcome, BuildUpdate } from '#api/build-updates.ts'
import { paintFor } from '../format/colors.ts'
import { Redraw } from '../format/redraw.ts'
import type { Io } from '../io.ts'
import type { BuildState } from './progress/build-state.ts'
import { PlainProgress } from './progress/plain.ts'
import { rawJsonLine } from './progress/raw-json.ts'
import { frame } from './progress/tty.ts'

export type ProgressStyle = 'tty' | 'plain' | 'rawjson' | 'quiet'

export interface BuildEnd {
  readonly outcome: BuildOutcome | undefined
  readonly call: Extract<BuildUpdate, { type: 'call' }> | undefined
}

/** Follows a build to its end and shows it on stderr; `state` has all that was told, also when the build fails. */
export async function showBuild(
  updates: AsyncIterable<BuildUpdate>,
  style: ProgressStyle,
  state: BuildState,
  io: Io,
): Promise<BuildEnd> {
  using screen = screenFor(style, state, io)
  let outcome: BuildEnd['outcome']
  let call: BuildEnd['call']
  for await (const update of updates) {
    const lines = state.add(update)
    if (update.type === 'result') outcome = update
    if (update.type === 'call') call = update
    screen.show(update, lines)
  }
  return { outcome, call }
}

interface Screen extends Disposable {
  show(update: BuildUpdate, lines: ReturnType<BuildState['add']>): void
}

function screenFor(style: ProgressStyle, state: BuildState, io: Io): Screen {
  switch (style) {
    case 'tty':
      return new TerminalScreen(state, io)
    case 'plain':
      return new PlainScreen(state, io)
    case 'rawjson':
      return {
        show: (update) => void io.stderr.write(rawJsonLine(update, io.now())),
        [Symbol.dispose]: () => undefined,
      }
    case 'quiet':
      return { show: () => undefined, [Symbol.dispose]: () => undefined }
  }
}

/** Milliseconds between frames. */
const FRAME = 100

/** A picture that is drawn anew while the build goes on, and a last time at its end. */
class TerminalScreen implements Screen {
  readonly #state: BuildState
  readonly #io: Io
  readonly #screen: Redraw
  readonly #began: number
  readonly #timer: NodeJS.Timeout

  constructor(state: BuildState, io: Io) {
    this.#state = state
    this.#io = io
    this.#screen = new Redraw(io.stderr)
    this.#began = io.now()
    this.#timer = setInterval(() => this.#draw(false), FRAME)
    io.stderr.on('resize', this.#resized)
  }

  show(): void {
    // The next frame shows it.
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#io.stderr.off('resize', this.#resized)
    this.#draw(true)
  }

  readonly #resized = (): void => this.#draw(false)

  #draw(finished: boolean): void {
    const { columns, rows } = this.#screen.size
    const paint = paintFor({ stdout: this.#io.stderr, env: this.#io.env })
    const view = { columns, now: this.#io.now(), began: this.#began, finished, paint }
    // The cursor stands below the last line.
    this.#screen.draw(frame(this.#state, finished ? view : { ...view, rows: rows - 1 }))
  }
}

/** Milliseconds between looks at what waits. */
const TICK = 1000

class PlainScreen implements Screen {
  readonly #io: Io
  readonly #progress: PlainProgress
  readonly #timer: NodeJS.Timeout

  constructor(state: BuildState, io: Io) {
    this.#io = io
    this.#progress = new PlainProgress(state)
    this.#timer = setInterval(() => this.#write(this.#progress.tick(io.now())), TICK)
  }

  show(update: BuildUpdate, lines: ReturnType<BuildState['add']>): void {
    this.#write(this.#progress.show(update, lines, this.#io.now()))
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#write(this.#progress.end())
  }

  #write(text: string): void {
    if (text !== '') this.#io.stderr.write(text)
  }
}
