import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isErrno } from '#base/errors.ts'

/**
 * Replaces `file` by one with this content, so that after a crash or a power cut at any instant there is either the
 * old content or the new, whole: temporary file beside it, fsync, rename, fsync of the directory. Writers of the same
 * file must not overlap.
 */
export async function writeFileDurably(
  file: string,
  content: string | Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.tmp`)
  try {
    // What a crash has left behind may have other permissions.
    await rm(temporary, { force: true })
    await using handle = await open(temporary, 'wx', options.mode ?? 0o600)
    await handle.writeFile(content)
    await handle.sync()
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncDirectory(dirname(file))
}

/** Makes what was created, renamed or removed in `directory` survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r')
  await handle.sync()
}

/** Bytes of the file, behind symlinks; undefined when there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/**
 * Makes a directory and those above it, for paths that somebody else names: where a directory that is there takes none
 * (/proc), Node's own recursive mkdir() tries for ever.
 */
export async function makeDirectories(path: string, options: { readonly mode: number }): Promise<void> {
  try {
    await makeDirectory(path, options)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    await makeDirectories(dirname(path), options)
    // What cannot be made now is no matter of those above it.
    await makeDirectory(path, options)
  }
}

/** Content with one that is there. */
async function makeDirectory(path: string, options: { readonly mode: number }): Promise<void> {
  try {
    await mkdir(path, options)
  } catch (error) {
    if (!isErrno(error, 'EEXIST') || !(await stat(path)).isDirectory()) throw error
  }
}
