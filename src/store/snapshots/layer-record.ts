import { constants } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '#base/digest.ts'
import { isErrno } from '#base/errors.ts'
import type { LayerTree } from '#oci/tar/layer-tree.ts'
import { damagedLayer } from './errors.ts'

/** Names inside a layer's directory. */
export const files = {
  record: 'layer.json',
  /** `erofs`: the archive as it came, and the index over it. */
  tar: 'layer.tar',
  index: 'index.erofs',
  /** `directory`: the archive compressed, and what it unpacks to. */
  packed: 'layer.tar.zst',
  unpacked: 'diff',
  /** Empty; a check of every byte has found the layer damaged: whoever has it again replaces it. */
  damaged: 'damaged',
} as const

export interface Attributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly seconds: number
  readonly nanoseconds: number
}

/** What `layer.json` says; written once, with the layer. */
export interface LayerRecord {
  readonly version: 1
  readonly kind: 'erofs' | 'directory'
  /** Bytes of the uncompressed tar. */
  readonly size: number
  /** Bytes on disk, counted when the layer was made. */
  readonly stored: number
  /** Length of each file of the layer; a file of another length is damaged. */
  readonly lengths: Readonly<Record<string, number>>
  /** Hexadecimal SHA-256 of the index: it is checked before the kernel parses it. */
  readonly indexSha256: string | null
  /** Attributes of the root directory when the archive has them. */
  readonly root: Attributes | null
  /** The root is opaque: overlayfs cannot express that, the layers below are left out instead. */
  readonly opaqueRoot: boolean
}

/** What a record tells of the layer's root directory. */
export function rootOf(tree: LayerTree): Pick<LayerRecord, 'root' | 'opaqueRoot'> {
  const { mode, uid, gid, seconds, nanoseconds, opaque } = tree.root
  return {
    root: tree.rootGiven ? { mode, uid, gid, seconds, nanoseconds } : null,
    opaqueRoot: opaque,
  }
}

export interface StoredLayer {
  readonly diffId: Digest
  readonly path: string
  readonly record: LayerRecord
}

/** Reads a layer and checks its files' lengths: `undefined` when it is not there, `data_loss` when it is damaged. */
export async function loadLayer(diffId: Digest, path: string): Promise<StoredLayer | undefined> {
  let text: string
  try {
    text = await readFile(join(path, files.record), 'utf8')
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw damagedLayer(diffId, `cannot read ${files.record}`, error)
    if (await exists(path)) throw damagedLayer(diffId, `${files.record} is missing`, error)
    return undefined
  }
  const record = parseRecord(text)
  if (record === undefined) throw damagedLayer(diffId, `${files.record} is not valid`)
  await Promise.all(
    Object.entries(record.lengths).map(([name, length]) => checkLength(diffId, path, name, length)),
  )
  return { diffId, path, record }
}

/** Writes `layer.json` durably. */
export async function writeRecord(directory: string, record: LayerRecord): Promise<void> {
  await writeDurably(join(directory, files.record), Buffer.from(`${JSON.stringify(record)}\n`))
}

/** Creates the file `path` with `bytes`; durable once this resolves. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  await using file = await open(path, flags, 0o600)
  await file.writeFile(bytes)
  await file.datasync()
}

async function checkLength(diffId: Digest, path: string, name: string, length: number): Promise<void> {
  let actual: number
  try {
    actual = (await stat(join(path, name))).size
  } catch (error) {
    throw damagedLayer(diffId, `${name} cannot be read`, error)
  }
  if (actual !== length) throw damagedLayer(diffId, `${name} has ${actual} bytes instead of ${length}`)
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

function parseRecord(text: string): LayerRecord | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  return isRecord(value) ? value : undefined
}

function isRecord(value: unknown): value is LayerRecord {
  if (typeof value !== 'object' || value === null) return false
  const { version, kind, size, stored, lengths, opaqueRoot } = value as Partial<LayerRecord>
  return (
    version === 1 &&
    (kind === 'erofs' || kind === 'directory') &&
    typeof size === 'number' &&
    typeof stored === 'number' &&
    typeof lengths === 'object' &&
    lengths !== null &&
    Object.values(lengths).every((length) => typeof length === 'number') &&
    typeof opaqueRoot === 'boolean'
  )
}
