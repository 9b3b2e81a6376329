import { invalidTar } from './errors.ts'
import { limits } from './limits.ts'

const XATTR = 'SCHILY.xattr.'
/** Values that go into a path or a name: a NUL in them would mean different things to different readers. */
const NAMES: ReadonlySet<string> = new Set(['path', 'linkpath', 'uname', 'gname', 'GNU.sparse.name'])

/** Records of an extended header, as byte strings. An empty value takes an earlier record back. */
export interface PaxRecords {
  readonly values: ReadonlyMap<string, string>
  readonly xattrs: ReadonlyMap<string, Uint8Array>
  /** `GNU.sparse.offset` and `.numbytes` of sparse format 0.0, the only keys that repeat. */
  readonly sparse: readonly string[]
}

/** Parses `LENGTH KEY=VALUE\n` records: POSIX pax(1) "pax Extended Header". */
export function parsePax(data: Buffer, name: string): PaxRecords {
  const values = new Map<string, string>()
  const xattrs = new Map<string, Uint8Array>()
  const sparse: string[] = []

  for (let at = 0; at < data.length;) {
    const { key, start, end } = nextRecord(data, at, name)
    if (key.startsWith(XATTR)) {
      addXattr(xattrs, key.slice(XATTR.length), data.subarray(start, end), name)
    } else {
      const value = data.toString('latin1', start, end)
      if (NAMES.has(key) && value.includes('\0')) throw invalidTar(name, `NUL in PAX record ${key}`)
      if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
        if (sparse.length >= 2 * limits.sparseRegions) throw invalidTar(name, 'too many sparse regions')
        sparse.push(value)
      } else {
        values.set(key, value)
      }
    }
    at = end + 1
  }
  return { values, xattrs, sparse }
}

function nextRecord(data: Buffer, at: number, name: string): { key: string; start: number; end: number } {
  let length = 0
  let i = at
  for (; i < data.length && data[i] !== 0x20; i++) {
    const digit = data[i]! - 0x30
    if (digit < 0 || digit > 9 || i - at > 8) throw invalidTar(name, 'malformed PAX record length')
    length = length * 10 + digit
  }
  const end = at + length - 1
  const equals = data.indexOf(0x3d, i)
  if (end >= data.length || end <= i || data[end] !== 0x0a || equals <= i + 1 || equals > end) {
    throw invalidTar(name, 'malformed PAX record')
  }
  return { key: data.toString('latin1', i + 1, equals), start: equals + 1, end }
}

function addXattr(xattrs: Map<string, Uint8Array>, key: string, value: Buffer, name: string): void {
  if (key === '' || key.length > limits.xattrName || key.includes('\0')) {
    throw invalidTar(name, 'malformed name of an extended attribute')
  }
  if (value.length > limits.xattrValue) throw invalidTar(name, `extended attribute ${key} is too large`)
  if (xattrs.size >= limits.xattrs) throw invalidTar(name, 'too many extended attributes')
  // A copy: the buffer it lies in is a whole chunk of the archive.
  xattrs.set(key, new Uint8Array(value))
}

/** The same records as bytes, in the given order. Keys and values are byte strings. */
export function formatPax(records: Iterable<readonly [string, string]>): Buffer {
  let out = ''
  for (const [key, value] of records) {
    const rest = ` ${key}=${value}\n`
    let length = rest.length + 1
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length
    out += `${length}${rest}`
  }
  return Buffer.from(out, 'latin1')
}

export function xattrKey(name: string): string {
  return `${XATTR}${name}`
}

/** A decimal number of a record, or NaN. */
export function paxInteger(value: string): number {
  if (!/^-?[0-9]{1,16}$/.test(value)) return Number.NaN
  const parsed = Number(value)
  return Number.isSafeInteger(parsed) ? parsed : Number.NaN
}

/** Seconds with a fraction, cut to nanoseconds (towards the past), or undefined. */
export function paxTime(value: string): { seconds: number; nanoseconds: number } | undefined {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value)
  if (match === null) return undefined
  const seconds = Number(match[2])
  const fraction = match[3] ?? ''
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'))
  if (match[1] !== '-') return { seconds, nanoseconds }
  return nanoseconds === 0
    ? { seconds: -seconds, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds }
}
