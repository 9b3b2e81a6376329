import { constants } from 'node:fs'
import { link, open } from 'node:fs/promises'
import { type Digest, digestOf } from '#base/digest.ts'
import { isErrno } from '#base/errors.ts'

/** The file in which another store would keep the same bytes. */
export type TwinOf = (digest: Digest) => string

/** What is larger is not worth reading again; configurations have a few kilobytes. */
const MAX_TWIN = 1 << 20

/**
 * Makes `target` another name of `twin`, which is read first: true if that has the bytes the digest names, and so many.
 * False, with nothing done, when it has not, is not there, lies on another filesystem, or when there is a `target`.
 */
export async function linkTwin(
  twin: string,
  target: string,
  { digest, size }: { readonly digest: Digest; readonly size: number },
): Promise<boolean> {
  if (size > MAX_TWIN) return false
  try {
    if (!(await holds(twin, digest, size))) return false
    // Both stores replace a file whole, and by one with the same bytes: what was read is what is linked.
    await link(twin, target)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EEXIST', 'EXDEV', 'EMLINK', 'EPERM', 'ELOOP', 'EIO')) return false
    throw error
  }
}

async function holds(path: string, digest: Digest, size: number): Promise<boolean> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const stats = await file.stat()
  return stats.isFile() && stats.size === size && digestOf(await file.readFile()) === digest
}
