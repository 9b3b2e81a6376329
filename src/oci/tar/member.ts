import type { TarMember, TarType } from './entry.ts'
import { invalidTar } from './errors.ts'
import { number, text } from './header.ts'
import { limits } from './limits.ts'
import { paxInteger, paxTime, type PaxRecords } from './pax.ts'
import { parseSparseList } from './sparse.ts'

/** Extended headers that wait for their member. */
export interface Pending {
  global: PaxRecords | undefined
  local: PaxRecords | undefined
  longName: string | undefined
  longLink: string | undefined
}

export interface HeaderContext {
  readonly type: TarType
  readonly rawName: string
  readonly flag: string
  /** Where the block after the header begins. */
  readonly position: number
  readonly pending: Pending
}

/** How the map of a PAX sparse file is to be had. */
export type SparseSource = { readonly kind: 'map' } | { readonly kind: 'list'; readonly numbers: number[] }

/** Puts together what a header and the extended headers before it say; local beats global beats header. */
export function resolveMember(
  block: Buffer,
  at: number,
  context: HeaderContext,
): { readonly member: TarMember; readonly sparse: SparseSource | undefined } {
  const { pending } = context
  const path = pending.longName ?? record(pending, 'path') ?? context.rawName
  if (path === '') throw invalidTar('', `member without a name (at byte ${context.position})`)

  const isOldDirectory = context.flag === '\0' && path.endsWith('/')
  const type = isOldDirectory ? 'directory' : context.type
  const stored = type === 'file' ? sizeOf(block, at, pending, path) : 0
  const time = timeOf(block, at, pending, path)
  const isDevice = type === 'char' || type === 'block'
  const hasLink = type === 'symlink' || type === 'hardlink'
  const plain: TarMember = {
    type,
    path,
    link: hasLink ? (pending.longLink ?? record(pending, 'linkpath') ?? text(block, at + 157, 100)) : '',
    mode: field(number(block, at + 100, 8), 'mode', path, 0o777_777_777) & 0o7777,
    uid: idOf(block, at + 108, pending, 'uid', path),
    gid: idOf(block, at + 116, pending, 'gid', path),
    seconds: time.seconds,
    nanoseconds: time.nanoseconds,
    size: stored,
    offset: context.position,
    stored,
    extents: undefined,
    major: isDevice ? field(number(block, at + 329, 8), 'device number', path, 0xfff) : 0,
    minor: isDevice ? field(number(block, at + 337, 8), 'device number', path, 0xfffff) : 0,
    xattrs: xattrsOf(pending, path),
  }
  if (hasLink && plain.link === '') throw invalidTar(path, 'link without a target')
  if (pending.local === undefined || type !== 'file') return { member: plain, sparse: undefined }
  return paxSparse(plain, pending.local)
}

function record(pending: Pending, key: string): string | undefined {
  const local = pending.local?.values.get(key)
  // An empty local value takes a global one back.
  if (local !== undefined) return local === '' ? undefined : local
  return pending.global?.values.get(key) || undefined
}

function field(value: number, what: string, path: string, max: number): number {
  if (value >= 0 && value <= max) return value
  throw invalidTar(path, `invalid ${what}`)
}

function sizeOf(block: Buffer, at: number, pending: Pending, path: string): number {
  const pax = record(pending, 'size')
  return field(
    pax === undefined ? number(block, at + 124, 12) : paxInteger(pax),
    'size',
    path,
    limits.fileSize,
  )
}

function idOf(block: Buffer, at: number, pending: Pending, key: 'uid' | 'gid', path: string): number {
  const pax = record(pending, key)
  // The last 32-bit value means "no change" to chown(2).
  return field(pax === undefined ? number(block, at, 8) : paxInteger(pax), key, path, 0xffff_fffe)
}

function timeOf(
  block: Buffer,
  at: number,
  pending: Pending,
  path: string,
): { seconds: number; nanoseconds: number } {
  const pax = record(pending, 'mtime')
  if (pax === undefined) {
    const seconds = number(block, at + 136, 12)
    if (Number.isNaN(seconds)) throw invalidTar(path, 'invalid modification time')
    return { seconds, nanoseconds: 0 }
  }
  const time = paxTime(pax)
  if (time === undefined) throw invalidTar(path, 'invalid modification time')
  return time
}

function xattrsOf(pending: Pending, path: string): ReadonlyMap<string, Uint8Array> | undefined {
  const global = pending.global?.xattrs
  const local = pending.local?.xattrs
  if (global === undefined || global.size === 0)
    return local === undefined || local.size === 0 ? undefined : local
  const merged = new Map([...global, ...(local ?? [])])
  if (merged.size > limits.xattrs) throw invalidTar(path, 'too many extended attributes')
  return merged
}

function paxSparse(
  member: TarMember,
  { values, sparse }: PaxRecords,
): { readonly member: TarMember; readonly sparse: SparseSource | undefined } {
  const name = values.get('GNU.sparse.name')
  const path = name === undefined || name === '' ? member.path : name
  const sizeText = values.get('GNU.sparse.realsize') ?? values.get('GNU.sparse.size')
  const version = `${values.get('GNU.sparse.major') ?? ''}.${values.get('GNU.sparse.minor') ?? ''}`
  const map = values.get('GNU.sparse.map')
  if (version !== '1.0' && map === undefined && sparse.length === 0) {
    // Format 0.0 or 0.1 of a file that is one hole has a size and no regions.
    if (values.get('GNU.sparse.numblocks') !== '0') return { member, sparse: undefined }
  }
  if (sizeText === undefined) throw invalidTar(path, 'sparse file without its size')
  const whole = {
    ...member,
    path,
    size: field(paxInteger(sizeText), 'size of a sparse file', path, limits.fileSize),
  }
  if (version === '1.0') return { member: whole, sparse: { kind: 'map' } }
  const list = map === undefined ? sparse : map === '' ? [] : map.split(',')
  return { member: whole, sparse: { kind: 'list', numbers: parseSparseList(list, path) } }
}
