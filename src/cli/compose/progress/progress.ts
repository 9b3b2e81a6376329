import type { Reporter } from '#compose/execute/execute.ts'
import type { Operation } from '#compose/plan/operation.ts'
import { commandError, errorText } from '../../errors.ts'
import { paintFor } from '../../format/colors.ts'
import { Redraw } from '../../format/redraw.ts'
import type { Io } from '../../io.ts'
import type { ComposeFlags } from '../flags.ts'
import { type Words, wordsOf } from './words.ts'

export interface Progress extends Reporter, Disposable {
  /** What is no operation: somebody waits for an object. */
  waiting(what: Words): void
  arrived(what: Words): void
  gaveUp(what: Words, reason: string): void
  warn(message: string): void
  /** Leaves what is shown where it is; something else writes to the terminal now. */
  pause(): void
}

/** Shows operations on stderr as `--progress` asks: lines that change in place on a terminal, a line each elsewhere. */
export function progressFor({ progress, ansi }: ComposeFlags, io: Io): Progress {
  const style = progress === 'auto' ? (io.env['COMPOSE_PROGRESS'] ?? 'auto') : progress
  const isTerminal = io.stderr.isTTY === true && io.env['TERM'] !== 'dumb' && ansi !== 'never'
  switch (style) {
    case 'auto':
      return isTerminal ? new TerminalProgress(io) : new PlainProgress(io)
    case 'tty':
      return new TerminalProgress(io)
    case 'plain':
      return new PlainProgress(io)
    case 'json':
      return new JsonProgress(io)
    case 'quiet':
    case 'none':
      return new QuietProgress(io)
    default:
      throw commandError(
        `unsupported --progress value ${JSON.stringify(style)}; want auto, tty, plain, json or quiet`,
      )
  }
}

class QuietProgress implements Progress {
  protected readonly io: Io

  constructor(io: Io) {
    this.io = io
  }

  began(operation: Operation): void {
    this.waiting(wordsOf(operation), operation.cause)
  }

  ended(operation: Operation): void {
    this.arrived(wordsOf(operation), operation.cause)
  }

  failed(operation: Operation, error: unknown): void {
    this.gaveUp(wordsOf(operation), errorText(error), operation.cause)
  }

  waiting(_what: Words, _cause?: string): void {}
  arrived(_what: Words, _cause?: string): void {}
  gaveUp(_what: Words, _reason: string, _cause?: string): void {}
  pause(): void {}

  warn(message: string): void {
    this.io.stderr.write(`WARN: ${message}\n`)
  }

  [Symbol.dispose](): void {}
}

class PlainProgress extends QuietProgress {
  override waiting({ object, running }: Words): void {
    this.#line(object, running)
  }

  override arrived({ object, done }: Words): void {
    this.#line(object, done)
  }

  // Why is said at the end, once.
  override gaveUp({ object }: Words): void {
    this.#line(object, 'Error')
  }

  #line(object: string, word: string): void {
    this.io.stderr.write(` ${object}  ${word}\n`)
  }
}

class JsonProgress extends QuietProgress {
  override waiting({ object, running }: Words, cause?: string): void {
    this.#line({ id: object, status: 'Working', text: running, cause })
  }

  override arrived({ object, done }: Words, cause?: string): void {
    this.#line({ id: object, status: 'Done', text: done, cause })
  }

  override gaveUp({ object }: Words, reason: string, cause?: string): void {
    this.#line({ id: object, status: 'Error', text: reason, cause })
  }

  override warn(message: string): void {
    this.io.stderr.write(`${JSON.stringify({ level: 'warning', msg: message })}\n`)
  }

  #line(said: object): void {
    this.io.stderr.write(`${JSON.stringify(said)}\n`)
  }
}

interface Line {
  readonly word: string
  readonly state: 'running' | 'done' | 'failed'
  readonly began: number
  readonly ended?: number
}

/** Milliseconds between frames. */
const FRAME = 100
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** A line per object, drawn anew in place. */
class TerminalProgress extends QuietProgress {
  readonly #screen: Redraw
  readonly #lines = new Map<string, Line>()
  #timer: NodeJS.Timeout | undefined

  constructor(io: Io) {
    super(io)
    this.#screen = new Redraw(io.stderr)
  }

  override waiting({ object, running }: Words): void {
    const began = this.#lines.get(object)?.began ?? this.io.now()
    this.#lines.set(object, { word: running, state: 'running', began })
    this.#timer ??= setInterval(() => this.#draw(), FRAME)
  }

  override arrived({ object, done }: Words): void {
    this.#end(object, done, 'done')
  }

  override gaveUp({ object }: Words): void {
    this.#end(object, 'Error', 'failed')
  }

  override warn(message: string): void {
    this.#lines.set(`! ${message}`, { word: '', state: 'failed', began: this.io.now(), ended: this.io.now() })
    this.#draw()
  }

  override pause(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#draw()
    this.#screen.settle()
    this.#lines.clear()
  }

  override [Symbol.dispose](): void {
    this.pause()
  }

  #end(object: string, word: string, state: 'done' | 'failed'): void {
    const now = this.io.now()
    this.#lines.set(object, { word, state, began: this.#lines.get(object)?.began ?? now, ended: now })
  }

  #draw(): void {
    if (this.#lines.size === 0) return
    const paint = paintFor({ stdout: this.io.stderr, env: this.io.env })
    const { rows, columns } = this.#screen.size
    const entries = [...this.#lines]
    const width = Math.max(...entries.map(([object]) => object.length))
    const done = entries.filter(([, { state }]) => state === 'done').length
    const lines = entries.map(([object, { word, state, began, ended }]) => {
      const frame = SPINNER[Math.floor((this.io.now() - began) / FRAME) % SPINNER.length] ?? ''
      const sign = { running: paint('cyan', frame), done: paint('green', '✔'), failed: paint('red', '✘') }[
        state
      ]
      const seconds = (((ended ?? this.io.now()) - began) / 1000).toFixed(1)
      const text = `${object.padEnd(width)}  ${word}`.slice(0, columns - 12)
      const painted = state === 'failed' ? paint('red', text) : text
      return ` ${sign} ${painted}${object.startsWith('!') ? '' : `  ${paint('blue', `${seconds}s`)}`}`
    })
    const shown = lines.length > rows - 2 ? chooseLines(entries, lines, rows - 2) : lines
    this.#screen.draw([`[+] ${done}/${entries.length}`, ...shown])
  }
}

/** What fits: what is not done yet first. */
function chooseLines(
  entries: readonly (readonly [string, Line])[],
  lines: readonly string[],
  room: number,
): readonly string[] {
  const order = entries.map(([, { state }], i) => [state === 'done' ? 1 : 0, i] as const)
  const chosen = new Set(
    order
      .toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
      .slice(0, room)
      .map(([, i]) => i),
  )
  return lines.filter((_, i) => chosen.has(i))
}
