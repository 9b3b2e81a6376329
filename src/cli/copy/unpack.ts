import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
  type Stats,
} from 'node:fs'
import { isErrno } from '#base/errors.ts'
import { encodeBytes, type TarEntry, type TarFile } from '#oci/tar/entry.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { commandError } from '../errors.ts'
import { renamed, type Plan } from './paths.ts'
import { SafeRoot } from './safe-root.ts'

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

export interface UnpackOptions {
  /** Give files the owners that the archive names; otherwise they belong to the caller. */
  readonly owners: boolean
  /** Told about members that cannot be made. */
  readonly skipped: (name: string, why: string) => void
}

/**
 * Unpacks an archive under a plan; its directory must exist. Nothing outside that directory is touched, whatever the
 * archive contains: see SafeRoot. A file takes the place of another one, but not of a directory, and no directory that
 * of a file.
 */
export async function unpack(
  tar: AsyncIterable<Uint8Array>,
  plan: Plan,
  options: UnpackOptions,
): Promise<{ readonly bytes: number }> {
  using root = new SafeRoot(plan.directory)
  const directories: { readonly path: string; readonly entry: TarEntry }[] = []
  let bytes = 0
  for await (const file of readTar(tar)) {
    const { entry } = file
    const name = renamed(entry.path, plan)
    // The top directory itself, when only its content is wanted, is somebody else's.
    if (name === undefined || name === '') continue
    const path = encodeBytes(name)
    if (entry.type === 'directory') {
      makeDirectory(root, path, name)
      directories.push({ path, entry })
      continue
    }
    bytes += await makeOther(root, path, name, file, plan, options)
  }
  // Last: writing into a directory changes its time, and a read-only one would refuse it.
  for (const { path, entry } of directories.reverse()) finishDirectory(root.resolve(path), entry, options)
  return { bytes }
}

function makeDirectory(root: SafeRoot, path: string, name: string): void {
  const place = root.resolve(path)
  const there = lstatSync(place, { throwIfNoEntry: false })
  if (there === undefined) mkdirSync(place, 0o700)
  else if (!there.isDirectory()) throw commandError(`cannot overwrite non-directory ${name} with a directory`)
}

async function makeOther(
  root: SafeRoot,
  path: string,
  name: string,
  { entry, data }: TarFile,
  plan: Plan,
  options: UnpackOptions,
): Promise<number> {
  const { type } = entry
  if (type === 'char' || type === 'block' || type === 'fifo') {
    options.skipped(name, type === 'fifo' ? 'it is a named pipe' : 'it is a device')
    return 0
  }
  const place = root.resolve(path)
  makeRoom(place, name)
  if (type === 'hardlink') {
    const target = renamed(entry.link ?? '', plan)
    if (target === undefined || target === '')
      throw commandError(`${name} is a hard link to ${entry.link}, which is not copied`)
    using existing = root.hold(encodeBytes(target))
    linkSync(existing.path, place)
    return 0
  }
  if (type === 'symlink') {
    symlinkSync(Buffer.from(encodeBytes(entry.link ?? ''), 'latin1'), place)
    if (options.owners) lchownSync(place, entry.uid, entry.gid)
    lutimesSync(place, timeOf(entry), timeOf(entry))
    return 0
  }
  return writeFile(place, { entry, data }, options)
}

async function writeFile(place: Buffer, { entry, data }: TarFile, options: UnpackOptions): Promise<number> {
  const descriptor = openSync(place, CREATE, 0o600)
  try {
    for await (const chunk of data) writeAll(descriptor, chunk)
    if (options.owners) fchownSync(descriptor, entry.uid, entry.gid)
    fchmodSync(descriptor, modeOf(entry, options))
    futimesSync(descriptor, timeOf(entry), timeOf(entry))
  } finally {
    closeSync(descriptor)
  }
  return entry.size
}

function writeAll(descriptor: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length;) at += writeSync(descriptor, chunk, at)
}

/** Takes away what stands where a file should go; a directory stays. */
function makeRoom(place: Buffer, name: string): void {
  const there: Stats | undefined = lstatSync(place, { throwIfNoEntry: false })
  if (there === undefined) return
  if (there.isDirectory()) throw commandError(`cannot overwrite directory ${name} with a non-directory`)
  rmSync(place)
}

function finishDirectory(place: Buffer, entry: TarEntry, options: UnpackOptions): void {
  const descriptor = openSync(place, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    if (options.owners) fchownSync(descriptor, entry.uid, entry.gid)
    fchmodSync(descriptor, modeOf(entry, options))
    futimesSync(descriptor, timeOf(entry), timeOf(entry))
  } catch (error) {
    // A directory that was there before may belong to somebody else, who decides about its mode and time.
    if (!isErrno(error, 'EPERM')) throw error
  } finally {
    closeSync(descriptor)
  }
}

/** Without the owner that they were meant for, set-user-id bits would give away the caller's rights. */
function modeOf(entry: TarEntry, { owners }: UnpackOptions): number {
  return owners ? entry.mode : entry.mode & 0o1777
}

function timeOf({ mtime }: TarEntry): number {
  return mtime.seconds + mtime.nanoseconds / 1e9
}
