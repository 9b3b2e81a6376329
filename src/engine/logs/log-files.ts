/** The files of a rotated log (`FILE`, `FILE.1` or `FILE.1.gz`, …) and where in them to begin. */
import type { FileHandle } from 'node:fs/promises'
import { open, unlink } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { isErrno } from '#base/errors.ts'
import { timeOf } from './log-decoder.ts'
import type { RecordShape } from './log-record.ts'
import { parseRecord, scanRecord } from './log-record.ts'

/** One file of a log; it stays readable when it is rotated away or removed. */
export interface LogFile extends AsyncDisposable {
  /** Inode and time of birth, since inodes are used again; of a packed file the time of the last change. */
  readonly identity: string
  /** When it was opened, in bytes. */
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly modified: number
  position: number
  /** Bytes at `from` into `buffer` at `at`; returns how many. */
  read(buffer: Buffer, at: number, length: number, from: number): Promise<number>
  /** What it has now. */
  stat(): Promise<{ readonly size: number; readonly packedIdentity: string }>
}

/**
 * The files that came after those in `seen` (identities), oldest first. Opened from the newest on, so that a rotation
 * meanwhile only shows a file twice, which is noticed, and never hides one.
 */
export async function openLogFiles(path: string, seen: ReadonlySet<string> = new Set()): Promise<LogFile[]> {
  const files: LogFile[] = []
  for (let i = 0; ; i++) {
    const file = i === 0 ? await openPlain(path) : await openRotated(`${path}.${i}`)
    // Between the two steps of a rotation FILE is missing while FILE.1 is there.
    if (file === undefined && i > 0) break
    if (file === undefined) continue
    const known = seen.has(file.identity)
    if (known || files.some(({ identity }) => identity === file.identity)) await file[Symbol.asyncDispose]()
    else files.unshift(file)
    if (known) break
  }
  return files
}

/** Packed or not; while it is being packed there are both, and it may be renamed between the two looks. */
async function openRotated(path: string): Promise<LogFile | undefined> {
  return (await openPlain(path)) ?? (await openPacked(`${path}.gz`)) ?? (await openPlain(path))
}

async function openPlain(path: string): Promise<LogFile | undefined> {
  const handle = await openIfThere(path)
  return handle === undefined ? undefined : plainFile(handle)
}

async function plainFile(handle: FileHandle): Promise<LogFile> {
  const { ino, birthtimeNs, size, mtimeMs } = await handle.stat({ bigint: true })
  return {
    identity: `${ino} ${birthtimeNs}`,
    size: Number(size),
    modified: Number(mtimeMs),
    position: 0,
    read: async (buffer, at, length, from) => (await handle.read(buffer, at, length, from)).bytesRead,
    async stat() {
      const now = await handle.stat({ bigint: true })
      return { size: Number(now.size), packedIdentity: packedIdentity(now.mtimeNs) }
    },
    [Symbol.asyncDispose]: () => handle.close(),
  }
}

/** The writer leaves the time of the last change on what it has packed. */
function packedIdentity(modified: bigint): string {
  return `packed ${modified}`
}

/** gzip's trailer: the length of what is packed, modulo 2^32, which no log exceeds (RFC 1952 §2.3.1). */
const TRAILER = 4

/** Unpacked when it is read for the first time, so that who wants the end of a log only unpacks that. */
async function openPacked(path: string): Promise<LogFile | undefined> {
  const handle = await openIfThere(path)
  if (handle === undefined) return undefined
  const { size: packed, mtimeMs, mtimeNs } = await handle.stat({ bigint: true })
  const trailer = Buffer.alloc(TRAILER)
  await handle.read(trailer, 0, TRAILER, Math.max(0, Number(packed) - TRAILER))
  const size = trailer.readUInt32LE()
  let unpacked: Promise<FileHandle> | undefined
  return {
    identity: packedIdentity(mtimeNs),
    size,
    modified: Number(mtimeMs),
    position: 0,
    async read(buffer, at, length, from) {
      unpacked ??= unpack(handle, path)
      return (await (await unpacked).read(buffer, at, length, from)).bytesRead
    },
    stat: () => Promise.resolve({ size, packedIdentity: packedIdentity(mtimeNs) }),
    async [Symbol.asyncDispose]() {
      await handle.close()
      // What could not be unpacked was told to who read it.
      const plain = await unpacked?.catch(() => undefined)
      await plain?.close()
    },
  }
}

/** Into a file without a name, on the disk where the log is. */
async function unpack(handle: FileHandle, path: string): Promise<FileHandle> {
  const plain = `${path}.${process.pid}.${handle.fd}`
  const file = await open(plain, 'wx+', 0o600)
  try {
    await unlink(plain)
    await pipeline(bytesOf(handle), createGunzip(), async (plainBytes: AsyncIterable<Buffer>) => {
      for await (const chunk of plainBytes) await file.writeFile(chunk)
    })
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

async function* bytesOf(handle: FileHandle): AsyncGenerator<Buffer> {
  for (let at = 0; ;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(BLOCK), 0, BLOCK, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
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
    let at = await file.read(buffer, 0, blockEnd - blockStart, blockStart)
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
    const bytesRead = await file.read(buffer, 0, PROBE, middle)
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
