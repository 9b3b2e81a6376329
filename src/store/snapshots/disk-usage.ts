import { constants } from 'node:fs'
import { lstat, open, readdir, type FileHandle } from 'node:fs/promises'
import { isErrno } from '#base/errors.ts'

/** Deeper than this nothing is counted: every level holds a descriptor. */
const MAX_DEPTH = 256

/**
 * Bytes on disk of everything but the directories below `path`; hard links count once. The tree may be written to
 * meanwhile by a hostile container: each directory is entered through the descriptor of its parent, never through a
 * symbolic link.
 */
export async function diskUsage(path: string): Promise<number> {
  return directoryUsage(path, new Set(), 0)
}

async function directoryUsage(path: string, seen: Set<string>, depth: number): Promise<number> {
  const directory = await openDirectory(path)
  if (directory === undefined) return 0
  await using handle = directory
  const base = `/proc/self/fd/${handle.fd}`
  let total = 0
  for (const name of await readdir(base)) {
    const child = `${base}/${name}`
    const stats = await lstat(child).catch(gone)
    if (stats === undefined) continue
    if (stats.isDirectory()) {
      if (depth < MAX_DEPTH) total += await directoryUsage(child, seen, depth + 1)
      continue
    }
    if (stats.nlink > 1) {
      const inode = `${stats.dev}:${stats.ino}`
      if (seen.has(inode)) continue
      seen.add(inode)
    }
    total += stats.blocks * 512
  }
  return total
}

async function openDirectory(path: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
  return open(path, flags).catch(gone)
}

/** Removed, or replaced by something that is no directory, since it was listed. */
function gone(error: unknown): undefined {
  if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined
  throw error
}
