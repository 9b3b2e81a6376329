import type { LogRecord } from './log-record.ts'

export interface OutputOptions {
  /** Raw text instead of stdcopy frames. */
  readonly tty: boolean
  readonly timestamps: boolean
  readonly details: boolean
}

const HEADER = 8
const CHUNK = 64 * 1024
const NEWLINE = 0x0a

/**
 * Builds the bytes that a client gets: per record a stdcopy frame (stream, three zeros, big-endian length) with the
 * optional prefixes inside (Engine API, "Attach", stream format). Chunks are handed over, never reused.
 */
export class LogOutput {
  readonly #options: OutputOptions
  #buffer = Buffer.allocUnsafe(CHUNK)
  #used = 0
  #full: Buffer[] = []

  constructor(options: OutputOptions) {
    this.#options = options
  }

  /** Text that needs no unescaping: bytes [start, end) of `source`, then a newline if `newline`. */
  add(
    stdout: boolean,
    source: Uint8Array,
    start: number,
    end: number,
    newline: boolean,
    time: string | undefined,
    attributes: LogRecord['attributes'],
  ): void {
    const prefix = this.#prefix(time, attributes)
    const length = prefix.length + (end - start) + (newline ? 1 : 0)
    const header = this.#options.tty ? 0 : HEADER
    this.#reserve(header + length)
    const buffer = this.#buffer
    let at = this.#used
    if (header > 0) {
      buffer[at] = stdout ? 1 : 2
      buffer[at + 1] = 0
      buffer[at + 2] = 0
      buffer[at + 3] = 0
      buffer.writeUInt32BE(length, at + 4)
      at += HEADER
    }
    if (prefix !== '') at += buffer.write(prefix, at, 'latin1')
    // For short texts a loop is cheaper than the call.
    if (end - start < 32) for (let i = start; i < end; i++) buffer[at++] = source[i] ?? 0
    else {
      buffer.set(source.subarray(start, end), at)
      at += end - start
    }
    if (newline) buffer[at++] = NEWLINE
    this.#used = at
  }

  /** What is ready; nothing of it is kept. */
  *drain(): Generator<Uint8Array> {
    const full = this.#full
    this.#full = []
    yield* full
    if (this.#used === 0) return
    const rest = this.#buffer.subarray(0, this.#used)
    this.#buffer = this.#buffer.subarray(this.#used)
    this.#used = 0
    yield rest
  }

  #prefix(time: string | undefined, attributes: LogRecord['attributes']): string {
    const { timestamps, details } = this.#options
    return `${timestamps ? `${time} ` : ''}${details ? `${detailsText(attributes)} ` : ''}`
  }

  #reserve(size: number): void {
    if (this.#used + size <= this.#buffer.length) return
    if (this.#used > 0) this.#full.push(this.#buffer.subarray(0, this.#used))
    this.#buffer = Buffer.allocUnsafe(Math.max(CHUNK, size))
    this.#used = 0
  }
}

/** `k=v,k2=v2`, query-escaped and sorted by key. */
function detailsText(attributes: LogRecord['attributes']): string {
  return Object.entries(attributes ?? {})
    .map(([key, value]) => `${queryEscape(key)}=${queryEscape(String(value))}`)
    .sort()
    .join(',')
}

function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
}
