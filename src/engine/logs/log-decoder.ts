import type { LogOutput } from './log-output.ts'
import type { LogRecord, RecordShape } from './log-record.ts'
import { normalTime, parseRecord, scanRecord, unescapeText } from './log-record.ts'

export interface DecoderOptions {
  readonly stdout: boolean
  readonly stderr: boolean
  readonly timestamps: boolean
  /** Times as `timeText` writes them. */
  readonly since: string | undefined
  readonly until: string | undefined
  readonly output: LogOutput
}

const NEWLINE = 0x0a
const BACKSLASH = 0x5c
const LETTER_N = 0x6e

/** From bytes of a log file to the selected records in the output. */
export class LogDecoder {
  /** A record after `until` was met: nothing more will be wanted. */
  finished = false
  readonly #options: DecoderOptions
  readonly #needsTime: boolean
  readonly #shape: RecordShape = { stdout: true, textStart: 0, textEnd: 0, timeStart: 0, timeEnd: 0 }

  constructor(options: DecoderOptions) {
    this.#options = options
    this.#needsTime = options.timestamps || options.since !== undefined || options.until !== undefined
  }

  /** Decodes the whole lines in the first `length` bytes; returns how many bytes those are. */
  feed(buffer: Buffer, length: number): number {
    let start = 0
    while (!this.finished) {
      const end = buffer.indexOf(NEWLINE, start)
      if (end === -1 || end >= length) return start
      this.#line(buffer, start, end)
      start = end + 1
    }
    return length
  }

  #line(buffer: Buffer, start: number, end: number): void {
    const shape = this.#shape
    if (!scanRecord(buffer, start, end, shape)) {
      const record = parseRecord(buffer, start, end)
      if (record !== undefined) this.#parsed(record)
      return
    }
    const { stdout, textStart, textEnd } = shape
    if (!(stdout ? this.#options.stdout : this.#options.stderr) && this.#options.until === undefined) return
    const time = this.#needsTime ? timeOf(buffer, shape) : undefined
    if (!this.#selects(stdout, time)) return

    const escape = buffer.indexOf(BACKSLASH, textStart)
    const { output } = this.#options
    if (escape === textEnd - 2 && buffer[escape + 1] === LETTER_N) {
      output.add(stdout, buffer, textStart, escape, true, time, undefined)
    } else if (escape === -1 || escape >= textEnd) {
      output.add(stdout, buffer, textStart, textEnd, false, time, undefined)
    } else {
      const text = unescapeText(buffer, textStart, textEnd)
      if (text !== undefined) output.add(stdout, text, 0, text.length, false, time, undefined)
    }
  }

  #parsed({ stdout, text, time, attributes }: LogRecord): void {
    if (this.#selects(stdout, time)) {
      this.#options.output.add(stdout, text, 0, text.length, false, time, attributes)
    }
  }

  #selects(stdout: boolean, time: string | undefined): boolean {
    const { since, until } = this.#options
    if (time !== undefined) {
      if (until !== undefined && time > until) {
        this.finished = true
        return false
      }
      if (since !== undefined && time < since) return false
    }
    return stdout ? this.#options.stdout : this.#options.stderr
  }
}

/** The time of a scanned record, with nine fractional digits. */
export function timeOf(buffer: Buffer, { timeStart, timeEnd }: RecordShape): string {
  const time = buffer.toString('latin1', timeStart, timeEnd)
  return time.length === 30 && time.endsWith('Z') ? time : normalTime(time)
}
