/**
 * Docker's json-file records: `{"log":"text\n","stream":"stdout","attrs":{…},"time":"…"}`. Records are decoded where
 * they lie in the read buffer; JSON.parse is only for those that the usual shape does not fit.
 */
export interface LogRecord {
  readonly stdout: boolean
  /** The text's bytes, with its newline unless it is a piece of a longer line. */
  readonly text: Uint8Array
  /** UTC, RFC 3339 with nine fractional digits, as in `2026-01-02T03:04:05.123456789Z`. */
  readonly time: string
  readonly attributes?: Readonly<Record<string, string>> | undefined
}

/** Reused by the caller's loop: where the parts of a record are. */
export interface RecordShape {
  stdout: boolean
  textStart: number
  textEnd: number
  timeStart: number
  timeEnd: number
}

const HEAD = Buffer.from('{"log":"')
/** Between the text and the time; `stdout` and `stderr` are of one length. */
const MIDDLE = Buffer.from('","stream":"stdout","time":"')
const STREAM_AT = 15
const OUT = Buffer.from('out')
const ERR = Buffer.from('err')
const QUOTE = 0x22
const BRACE = 0x7d
/** The longest time: nine fractional digits and `Z`. */
const TIME_LENGTH = 30

/**
 * Finds the parts of the record at [start, end) of `buffer`, newline excluded. False when it does not have the usual
 * shape (other member order, attributes, garbage): then `parseRecord` decides.
 */
export function scanRecord(buffer: Buffer, start: number, end: number, shape: RecordShape): boolean {
  if (end - start < HEAD.length + MIDDLE.length + 2) return false
  if (buffer[end - 1] !== BRACE || buffer[end - 2] !== QUOTE) return false
  for (let i = 0; i < HEAD.length; i++) if (buffer[start + i] !== HEAD[i]) return false

  const timeEnd = end - 2
  let timeStart = timeEnd - TIME_LENGTH
  if (buffer[timeStart - 1] !== QUOTE) {
    // Docker leaves trailing zeros of the fraction out.
    while (timeStart < timeEnd && buffer[timeStart - 1] !== QUOTE) timeStart++
  }
  const middle = timeStart - MIDDLE.length
  if (middle < start + HEAD.length) return false
  for (let i = 0; i < MIDDLE.length; i++) {
    if (buffer[middle + i] !== MIDDLE[i] && (i < STREAM_AT || i >= STREAM_AT + 3)) return false
  }
  const stream = middle + STREAM_AT
  const stdout = buffer[stream] === OUT[0]
  const rest = stdout ? OUT : ERR
  if (buffer[stream] !== rest[0] || buffer[stream + 1] !== rest[1] || buffer[stream + 2] !== rest[2])
    return false

  shape.stdout = stdout
  shape.textStart = start + HEAD.length
  shape.textEnd = middle
  shape.timeStart = timeStart
  shape.timeEnd = timeEnd
  return true
}

/** Any record as JSON; undefined for what is none (a torn or zero-filled piece of a file after a power cut). */
export function parseRecord(buffer: Buffer, start: number, end: number): LogRecord | undefined {
  let value: unknown
  try {
    value = JSON.parse(buffer.toString('utf8', start, end))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { log, stream, time, attrs } = value as Readonly<Record<string, unknown>>
  if (typeof time !== 'string') return undefined
  return {
    stdout: stream !== 'stderr',
    text: Buffer.from(typeof log === 'string' ? log : ''),
    time: normalTime(time),
    attributes: typeof attrs === 'object' && attrs !== null ? (attrs as Record<string, string>) : undefined,
  }
}

/** Text between JSON quotes, without them, as bytes. */
export function unescapeText(buffer: Buffer, start: number, end: number): Buffer | undefined {
  try {
    return Buffer.from(JSON.parse(buffer.toString('utf8', start - 1, end + 1)) as string)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Nine fractional digits, in UTC. */
export function normalTime(time: string): string {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(time)
  if (match !== null) return `${match[1]}.${(match[2] ?? '').padEnd(9, '0')}Z`
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? time : `${date.toISOString().slice(0, -1)}000000Z`
}

/** Nanoseconds since the epoch as text that compares like `normalTime`. */
export function timeText(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 19)
  return `${date}.${(nanoseconds % 1_000_000_000n).toString().padStart(9, '0')}Z`
}

/** The reverse of `timeText`. */
export function timeNanoseconds(time: string): bigint {
  return BigInt(Date.parse(`${time.slice(0, 19)}Z`)) * 1_000_000n + BigInt(time.slice(20, 29))
}
