import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isErrno } from '#base/errors.ts'
import { allocatedBytes } from '#store/usage/blocks.ts'

/** Where containers keep what they run from; made before the first effect of a start and removed after the last. */
export interface Directories {
  /** Makes a directory with its parents; private to its owner. */
  make(path: string): Promise<void>
  /** A missing one is success. */
  remove(path: string): Promise<void>
  /** Names in a directory; none when it is missing. */
  list(path: string): Promise<readonly string[]>
  /** Bytes that removing it frees; none when it is missing. */
  space(path: string): Promise<number>
  /** Writes a file, private to its owner, and makes its directory. */
  write(file: string, text: string): Promise<void>
  removeFile(file: string): Promise<void>
}

export const diskDirectories: Directories = {
  async make(path) {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  async remove(path) {
    // An exec that is refused a moment later may still be writing its file: the directory is not empty then.
    await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 10 })
  },
  async list(path) {
    try {
      return await readdir(path)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return []
      throw error
    }
  },
  space: allocatedBytes,
  async write(file, text) {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(file, text, { mode: 0o600 })
  },
  async removeFile(file) {
    await rm(file, { force: true })
  },
}
