import { EngineError } from '#base/errors.ts'
import { encodeBytes, isAscii, type TarEntry, type TarType } from './entry.ts'
import { printable } from './errors.ts'
import { BLOCK } from './header.ts'
import { formatPax, xattrKey } from './pax.ts'

/** What is written: an entry and, for a file, exactly `entry.size` bytes. */
export interface TarSource {
  readonly entry: TarEntry
  readonly data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** Small pieces are put together until there is this much. */
const BATCH = 64 << 10

const flags: Readonly<Record<TarType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

/**
 * Writes a POSIX tar archive: ustar headers, and PAX records only for what does not fit them. Equal entries give
 * equal bytes. Rejects with `data_loss` when a file's content is shorter or longer than its entry says.
 */
export async function* writeTar(
  entries: AsyncIterable<TarSource> | Iterable<TarSource>,
): AsyncGenerator<Uint8Array> {
  let batch: Uint8Array[] = []
  let batched = 0
  for await (const { entry, data } of entries) {
    const header = formatHeader(entry)
    batch.push(header)
    batched += header.length
    let left = entry.type === 'file' ? entry.size : 0
    if (left > 0) {
      for await (const chunk of data) {
        left -= chunk.length
        if (left < 0) throw wrongSize(entry)
        batch.push(chunk)
        batched += chunk.length
        if (batched >= BATCH) {
          yield join(batch, batched)
          batch = []
          batched = 0
        }
      }
      if (left > 0) throw wrongSize(entry)
      const padding = (BLOCK - (entry.size % BLOCK)) % BLOCK
      if (padding > 0) batch.push(zeros.subarray(0, padding))
      batched += padding
    }
    if (batched >= BATCH) {
      yield join(batch, batched)
      batch = []
      batched = 0
    }
  }
  batch.push(zeros)
  yield join(batch, batched + zeros.length)
}

/** The end of an archive: two empty blocks. */
const zeros = new Uint8Array(2 * BLOCK)

function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length)
}

function wrongSize(entry: TarEntry): EngineError {
  return new EngineError(
    'data_loss',
    `${printable(encodeBytes(entry.path))}: file changed its size while it was archived`,
    {
      code: 'FILE_CHANGED',
      details: { path: entry.path, size: entry.size },
    },
  )
}

/** The header blocks of an entry: its extended header, if it needs one, and its own. */
function formatHeader(entry: TarEntry): Buffer {
  const name = nameOf(entry)
  const link = entry.link === undefined ? '' : encodeBytes(entry.link)
  const size = entry.type === 'file' ? entry.size : 0
  const { seconds, nanoseconds } = entry.mtime
  const records: [string, string][] = []

  const place = splitName(name)
  if (place === undefined) records.push(['path', name])
  if (link.length > 100 || !isAscii(link)) records.push(['linkpath', link])
  if (size > MAX_SIZE) records.push(['size', String(size)])
  if (entry.uid > MAX_ID) records.push(['uid', String(entry.uid)])
  if (entry.gid > MAX_ID) records.push(['gid', String(entry.gid)])
  const timeFits = nanoseconds === 0 && seconds >= 0 && seconds <= MAX_SIZE
  if (!timeFits) records.push(['mtime', formatTime(seconds, nanoseconds)])
  for (const [key, value] of [...(entry.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
    // PAX cannot express a key with `=`; to lose such an attribute is better than to write another one.
    if (!key.includes('=')) records.push([encodeBytes(xattrKey(key)), Buffer.from(value).toString('latin1')])
  }

  const { prefix, base } = place ?? { prefix: '', base: shortened(name) }
  const header = ustar({
    base,
    prefix,
    flag: flags[entry.type],
    link: link.slice(0, 100),
    mode: entry.mode,
    uid: Math.min(entry.uid, MAX_ID),
    gid: Math.min(entry.gid, MAX_ID),
    size: Math.min(size, MAX_SIZE),
    seconds: Math.min(Math.max(seconds, 0), MAX_SIZE),
    major: entry.major ?? 0,
    minor: entry.minor ?? 0,
  })
  return records.length === 0 ? header : Buffer.concat([extendedHeader(name, records), header])
}

/** Directories end in a slash, as every tar writes them. */
function nameOf(entry: TarEntry): string {
  const name = encodeBytes(entry.path)
  if (entry.type !== 'directory') return name
  if (name === '') return './'
  return name.endsWith('/') ? name : `${name}/`
}

/** Twelve and eight digits of octal, less the NUL. */
const MAX_SIZE = 0o77_777_777_777
const MAX_ID = 0o7_777_777

function extendedHeader(name: string, records: readonly (readonly [string, string])[]): Buffer {
  const data = formatPax(records)
  const header = ustar({
    base: shortened(`PaxHeaders.0/${name}`),
    prefix: '',
    flag: 'x',
    link: '',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: data.length,
    seconds: 0,
    major: 0,
    minor: 0,
  })
  const padding = (BLOCK - (data.length % BLOCK)) % BLOCK
  return Buffer.concat([header, data, zeros.subarray(0, padding)])
}

interface Fields {
  readonly base: string
  readonly prefix: string
  readonly flag: string
  readonly link: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly seconds: number
  readonly major: number
  readonly minor: number
}

function ustar(fields: Fields): Buffer {
  const block = Buffer.alloc(BLOCK)
  block.write(fields.base, 0, 'latin1')
  octal(block, 100, 8, fields.mode)
  octal(block, 108, 8, fields.uid)
  octal(block, 116, 8, fields.gid)
  octal(block, 124, 12, fields.size)
  octal(block, 136, 12, fields.seconds)
  block.write('        ', 148, 'latin1')
  block.write(fields.flag, 156, 'latin1')
  block.write(fields.link, 157, 'latin1')
  block.write('ustar\u000000', 257, 'latin1')
  octal(block, 329, 8, fields.major)
  octal(block, 337, 8, fields.minor)
  block.write(fields.prefix, 345, 'latin1')
  let sum = 0
  for (const byte of block) sum += byte
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

function octal(block: Buffer, at: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1')
}

/** Where a name goes in a ustar header; undefined when it does not fit or is not ASCII. */
function splitName(name: string): { readonly prefix: string; readonly base: string } | undefined {
  if (!isAscii(name)) return undefined
  if (name.length <= 100) return { prefix: '', base: name }
  // The latest slash that leaves a prefix that fits gives the shortest rest.
  const slash = name.lastIndexOf('/', Math.min(155, name.length - 2))
  if (slash <= 0 || name.length - slash - 1 > 100) return undefined
  return { prefix: name.slice(0, slash), base: name.slice(slash + 1) }
}

/** For readers that do not know extended headers. */
function shortened(name: string): string {
  // oxlint-disable-next-line no-control-regex -- everything that is not ASCII
  return name.replace(/[^\0-\x7f]/g, '_').slice(0, 100)
}

/** Decimal seconds: for times before 1970 the fraction goes the other way. */
function formatTime(seconds: number, nanoseconds: number): string {
  if (nanoseconds === 0) return String(seconds)
  if (seconds >= 0) return `${seconds}.${digits(nanoseconds)}`
  return `-${-(seconds + 1)}.${digits(1_000_000_000 - nanoseconds)}`
}

function digits(nanoseconds: number): string {
  return String(nanoseconds).padStart(9, '0').replace(/0+$/, '')
}
