import { EngineError } from '#base/errors.ts'
import { decompress } from '#oci/compression.ts'
import { encodeBytes, type TarMember, type TarType } from '#oci/tar/entry.ts'
import { cleanName } from '#oci/tar/names.ts'

/**
 * The list of a directory's files that a client on another host sends before their contents: JSON, a line each, all
 * of it compressed (zstd, gzip) or not.
 *
 *     {"directory":"any text"}                   first, may be missing: which directory of which machine this is
 *     {"path":"a/b","type":"file","mode":420,"size":12,"mtime":{"seconds":1700000000,"nanoseconds":5}}
 *     {"path":"l","type":"symlink","link":"a/b",…}
 *
 * Fields, types and the encoding of names are those of `TarEntry`; parents come before what is in them. Owners and extended
 * attributes are not looked at: everything in a context belongs to root. Files whose path, size, mode and time are what
 * they were in the last list of the same directory are taken for unchanged.
 */
export interface ContextList {
  /** Undefined: nothing is known from before, and nothing is kept. */
  readonly directory: string | undefined
  /** `offset` is the place in this list. */
  readonly members: readonly TarMember[]
}

const types: ReadonlySet<string> = new Set<TarType>([
  'file',
  'directory',
  'symlink',
  'hardlink',
  'char',
  'block',
  'fifo',
])

/** Bytes of a line: far more than the longest names take. */
const LONGEST = 64 << 10
const MOST_FILES = 2_000_000
const LARGEST = 2 ** 44
/** Bytes of a list that was compressed. */
const MOST_BYTES = 2 ** 31

/** Reads a list; `invalid_argument` names the line. */
export async function readContextList(stream: AsyncIterable<Uint8Array>): Promise<ContextList> {
  let directory: string | undefined
  const members: TarMember[] = []
  let number = 0
  for await (const line of linesOf(decompress(stream, { limit: MOST_BYTES }))) {
    number++
    const record = parsed(line, number)
    if (number === 1 && typeof record['directory'] === 'string') {
      directory = record['directory']
      continue
    }
    if (members.length >= MOST_FILES) throw invalid(number, `more than ${MOST_FILES} files`)
    members.push(memberOf(record, number, members.length))
  }
  return { directory, members }
}

type Fields = Readonly<Record<string, unknown>>

function memberOf(record: Fields, line: number, position: number): TarMember {
  const { path, type, link, mtime } = record
  const count = (name: string, most: number, fields = record): number => {
    const value = fields[name] ?? 0
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most) return value
    throw invalid(line, `invalid ${name}`)
  }
  if (typeof path !== 'string' || typeof type !== 'string' || !types.has(type)) {
    throw invalid(line, 'a file has a path and a type')
  }
  const hasLink = type === 'symlink' || type === 'hardlink'
  if (hasLink && (typeof link !== 'string' || link === '')) throw invalid(line, 'a link has a target')
  const name = encodeBytes(path)
  if (cleanName(name) !== name) throw invalid(line, `${JSON.stringify(path)} is no clean relative path`)
  const time: Fields = isRecord(mtime) ? mtime : {}
  const { seconds = 0 } = time
  if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds)) throw invalid(line, 'invalid mtime')
  const size = type === 'file' ? count('size', LARGEST) : 0
  return {
    type: type as TarType,
    path: name,
    link: hasLink ? encodeBytes(String(link)) : '',
    mode: count('mode', 0o7777),
    uid: 0,
    gid: 0,
    seconds,
    nanoseconds: count('nanoseconds', 999_999_999, time),
    size,
    stored: size,
    offset: position,
    extents: undefined,
    major: count('major', 0xfff),
    minor: count('minor', 0xfffff),
    xattrs: undefined,
  }
}

function parsed(line: string, number: number): Fields {
  try {
    const value: unknown = JSON.parse(line)
    if (isRecord(value)) return value
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw invalid(number, 'it is no JSON object')
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Uint8Array = new Uint8Array()
  let number = 0
  for await (const chunk of stream) {
    let bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10)) {
      number++
      if (end > 0) yield bytes.toString('utf8', 0, end)
      bytes = bytes.subarray(end + 1)
    }
    if (bytes.length > LONGEST) throw invalid(number + 1, 'it is too long')
    rest = bytes
  }
  if (rest.length > 0) yield Buffer.from(rest).toString('utf8')
}

function invalid(line: number, why: string): EngineError {
  return new EngineError('invalid_argument', `line ${line} of the list of files of a context: ${why}`, {
    code: 'CONTEXT_LIST_INVALID',
    details: { line },
  })
}
