/** A place in a file: line and column from 1, columns in UTF-16 units as editors count them. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** From `start` up to and without `end`. */
export interface Range {
  readonly start: Position
  readonly end: Position
}

/** A file's name and text with its lines found; offsets are UTF-16 units from the beginning. */
export class Source {
  readonly name: string
  readonly text: string
  readonly #starts: readonly number[]

  constructor(text: string, name = 'Dockerfile') {
    this.name = name
    this.text = text
    this.#starts = lineStarts(text)
  }

  /** Number of lines; text after the last line feed is a line even when empty. */
  get lines(): number {
    return this.#starts.length
  }

  /** The text of a line without its ending; empty where there is no such line. */
  line(number: number): string {
    const start = this.#starts[number - 1]
    if (start === undefined) return ''
    let end = this.#starts[number] ?? this.text.length
    while (end > start && '\r\n'.includes(this.text.charAt(end - 1))) end--
    return this.text.slice(start, end)
  }

  /** Offset of a line's first character; the end of the text where there is no such line. */
  start(number: number): number {
    return this.#starts[number - 1] ?? this.text.length
  }

  position(offset: number): Position {
    const starts = this.#starts
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }

  range(start: number, end: number): Range {
    return { start: this.position(start), end: this.position(Math.max(start, end)) }
  }

  /** The whole of a line. */
  lineRange(number: number): Range {
    return {
      start: { line: number, column: 1 },
      end: { line: number, column: this.line(number).length + 1 },
    }
  }
}

const LINES_SHOWN = 20
const COLUMNS_SHOWN = 200

/** Lines around `range` with numbers, those of the range marked, as `docker build` shows them. */
export function excerpt(source: Source, range: Range, around = 2): string {
  const last = lastLine(range)
  const shown: string[] = []
  const to = Math.min(source.lines, last + around, range.start.line + LINES_SHOWN)
  for (let n = Math.max(1, range.start.line - around); n <= to; n++) {
    const marker = n >= range.start.line && n <= last ? '>>>' : '   '
    shown.push(`${String(n).padStart(4)} | ${marker} ${clip(source.line(n))}`.trimEnd())
  }
  const rule = '-'.repeat(20)
  return [`${source.name}:${range.start.line}`, rule, ...shown, rule].join('\n')
}

/** Where a range ends at the beginning of a line, nothing of that line is in it. */
export function lastLine({ start, end }: Range): number {
  return Math.max(start.line, end.column === 1 ? end.line - 1 : end.line)
}

function clip(line: string): string {
  return line.length > COLUMNS_SHOWN ? `${line.slice(0, COLUMNS_SHOWN)} …` : line
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
