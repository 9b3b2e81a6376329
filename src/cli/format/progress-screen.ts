import type { ProgressMessage } from '#client/images.ts'
import type { Output } from '../io.ts'
import { Redraw } from './redraw.ts'
import { ellipsis, humanSize } from './units.ts'

/** Milliseconds between frames. */
const FRAME = 60
const MAX_BAR = 50
const MIN_BAR = 10
/** `999.9MB/999.9MB`: bars are equally long. */
const SIZES_WIDTH = 15
/** `Downloading` and `Extracting` with their bars below each other. */
const STATUS_WIDTH = 11

interface Line {
  readonly id: string
  readonly status: string
  readonly detail: ProgressMessage['progressDetail']
}

/**
 * Lines on a terminal, one per id, that change in place. Never wider than the terminal and never more than fit on it:
 * with more layers than rows, those that move are shown while it runs, and all of them at the end.
 */
export class ProgressScreen implements Disposable {
  readonly #output: Output
  readonly #lines = new Map<string, Line>()
  readonly #screen: Redraw
  #timer: NodeJS.Timeout | undefined

  constructor(output: Output) {
    this.#output = output
    this.#screen = new Redraw(output)
    output.on('resize', this.#draw)
  }

  show({ stream, status = '', id, progressDetail }: ProgressMessage): void {
    if (stream === undefined && id !== undefined && id !== '') {
      this.#lines.set(id, { id, status: printable(status), detail: progressDetail })
      this.#timer ??= setTimeout(this.#draw, FRAME)
      return
    }
    this.#settle()
    this.#output.write(stream ?? `${printable(status)}\n`)
  }

  /** Takes the lines off the terminal; what is shown next begins anew. */
  erase(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#lines.clear()
    if (!this.#screen.isEmpty) this.#screen.draw([])
  }

  [Symbol.dispose](): void {
    this.#output.off('resize', this.#draw)
    this.#settle()
  }

  readonly #draw = (): void => {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const { columns, room } = this.#size()
    if (this.#lines.size > 0) this.#screen.draw(visible([...this.#lines.values()], room, columns))
  }

  /** Leaves every line on the terminal in its last state; what follows stands below. */
  #settle(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#lines.size === 0) return
    const { columns } = this.#size()
    this.#screen.draw([...this.#lines.values()].map((line) => lineText(line, columns)))
    this.#lines.clear()
    this.#screen.settle()
  }

  #size(): { readonly columns: number; readonly room: number } {
    const { columns, rows } = this.#screen.size
    return { columns, room: Math.max(1, rows - 1) }
  }
}

/** Without characters that a terminal would take for commands. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ').trimEnd()
}

function visible(lines: readonly Line[], room: number, columns: number): string[] {
  if (lines.length <= room) return lines.map((line) => lineText(line, columns))
  const byInterest = lines.toSorted((a, b) => interest(a) - interest(b))
  const chosen = new Set(byInterest.slice(0, room - 1))
  const others = lines.length - chosen.size
  const complete = lines.filter((line) => !chosen.has(line) && interest(line) === DONE).length
  return [
    ...lines.filter((line) => chosen.has(line)).map((line) => lineText(line, columns)),
    ellipsis(`… and ${others} more, ${complete} of them done`, columns - 1),
  ]
}

const DONE = 2

/** Small for what moves, large for what is done. */
function interest({ status, detail }: Line): number {
  if ((detail?.current ?? 0) > 0) return 0
  return /complete|exists|mounted|pushed/i.test(status) ? DONE : 1
}

/** One column stays free: some terminals wrap as soon as the last one is filled. */
function lineText({ id, status, detail }: Line, columns: number): string {
  const width = columns - 1
  const { current = 0, total = 0, units } = detail ?? {}
  if (current <= 0 && total <= 0) return ellipsis(`${id}: ${status}`, width)
  const prefix = `${id}: ${status.padEnd(STATUS_WIDTH)} `
  return ellipsis(prefix + amount(current, total, units, width - prefix.length), width).trimEnd()
}

/** A bar with sizes; in less room only the sizes, or the percentage. */
function amount(current: number, total: number, units: string | undefined, room: number): string {
  if (units !== undefined && units !== '')
    return total > 0 ? `${current}/${total} ${units}` : `${current} ${units}`
  if (total <= 0) return humanSize(current)
  const share = Math.min(1, current / total)
  const sizes = `${humanSize(current).padStart(7)}/${humanSize(total)}`
  const width = Math.min(MAX_BAR, room - SIZES_WIDTH - 3)
  if (width < MIN_BAR) return sizes.trim().length <= room ? sizes.trim() : `${Math.floor(share * 100)}%`
  const done = Math.floor(share * width)
  const line = done === width ? '='.repeat(width) : `${'='.repeat(done)}>`.slice(0, width)
  return `[${line.padEnd(width)}] ${sizes}`
}
