/** The files of a rotated log (`FILE`, `FILE.1`, …) and where in them to begin. */
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { isErrno } from '#base/errors.ts'
import { timeOf } from './log-decoder.ts'
import type { RecordShape } from './log-record.ts'
import { parseRecord, scanRecord } from './log-record.ts'

/** One open file; it stays readable when it is rotated away or removed. */
export interface LogFile {
  readonly handle: FileHandle
  /** Inode and time of birth, since inodes are used again. */
  readonly identity: string
  /** When it was opened, in bytes. */
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly modified: number
  position: number
}

/**
 * The files that came after those in `seen` (identities), oldest first. Opened from the newest on, so that a rotation
 * meanwhile only shows a file twice, which is noticed, and never hides one.
 */
export async function openLogFiles(path: string, seen: ReadonlySet<string> = new Set()): Promise<LogFile[]> {
  const files: LogFile[] = []
  for (let i = 0; ; i++) {
    const file = await openLogFile(i === 0 ? path : `${path}.${i}`)
    // Between the two steps of a rotation FILE is missing while FILE.1 is there.
    if (file === undefined && i > 0) break
    if (file === undefined) continue
    const known = seen.has(file.identity)
    if (known || files.some(({ identity }) => identity === file.identity)) await file.handle.close()
    else files.unshift(file)
    if (known) break
  }
  return files
}

async function openLogFile(path: string): Promise<LogFile | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
  const { ino, birthtimeNs, size, mtimeMs } = await handle.stat({ bigint: true })
  return {
    handle,
    identity: `${ino} ${birthtimeNs}`,
    size: Number(size),
    modified: Number(mtimeMs),
    position: 0,
  }
}

const BLOCK = 64 * 1024
const NEWLINE = 0x0a

/** Moves the positions so that the last `count` records of all files remain; reads only those. */
export async function seekTail(files: readonly LogFile[], count: number): Promise<void> {
  let missing = count
  for (const file of files.toReversed()) {
    if (missing <= 0 && file !== files.at(-1)) {
      file.position = file.size
      continue
    }
    missing -= await seekTailOf(file, missing)
  }
}

/** Leaves at most `count` records of the file; returns how many there are. */
async function seekTailOf(file: LogFile, count: number): Promise<number> {
  const buffer = Buffer.allocUnsafe(BLOCK)
  let found = -1
  for (let blockEnd = file.size; blockEnd > 0;) {
    const blockStart = Math.max(0, blockEnd - BLOCK)
    const { bytesRead } = await file.handle.read(buffer, 0, blockEnd - blockStart, blockStart)
    let at = bytesRead
    while ((at = at === 0 ? -1 : buffer.lastIndexOf(NEWLINE, at - 1)) !== -1) {
      // The last newline ends the last record, the one before it the last but one …
      if (++found === count) {
        file.position = blockStart + at + 1
        return count
      }
    }
    blockEnd = blockStart
  }
  file.position = 0
  return found + 1
}

/** Files below this size are read rather than searched. */
const SEARCH_FROM = 1024 * 1024
const PROBE = 256 * 1024

/** Moves the positions to just before the first record at `since` (as `timeText` writes it), by binary search. */
export async function seekTime(files: readonly LogFile[], since: string): Promise<void> {
  const milliseconds = Date.parse(`${since.slice(0, 23)}Z`)
  for (const file of files) {
    // The last write is no earlier than the last record; a second for clocks of different grain.
    if (file.modified + 1000 < milliseconds && file !== files.at(-1)) file.position = file.size
    else if (file.size >= SEARCH_FROM) {
      file.position = Math.max(file.position, await searchTime(file, since))
      return
    } else return
  }
}

async function searchTime(file: LogFile, since: string): Promise<number> {
  const buffer = Buffer.allocUnsafe(PROBE)
  let low = 0
  let high = file.size
  while (high - low > PROBE) {
    const middle = Math.floor((low + high) / 2)
    const { bytesRead } = await file.handle.read(buffer, 0, PROBE, middle)
    const start = buffer.subarray(0, bytesRead).indexOf(NEWLINE) + 1
    const end = start === 0 ? -1 : buffer.subarray(0, bytesRead).indexOf(NEWLINE, start)
    if (end === -1) return low
    const time = recordTime(buffer, start, end)
    if (time === undefined) return low
    if (time < since) low = middle + start
    else high = middle
  }
  return low
}

function recordTime(buffer: Buffer, start: number, end: number): string | undefined {
  const shape: RecordShape = { stdout: true, textStart: 0, textEnd: 0, timeStart: 0, timeEnd: 0 }
  return scanRecord(buffer, start, end, shape) ? timeOf(buffer, shape) : parseRecord(buffer, start, end)?.time
}
