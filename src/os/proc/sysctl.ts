import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '#base/errors.ts'

/** Kernel parameters of the daemon's own namespaces. Keys are path components, since link names may hold dots. */
export interface Sysctls {
  /** Undefined when the kernel does not have it. Without the final newline. */
  read(...key: readonly string[]): Promise<string | undefined>
  write(value: string, ...key: readonly string[]): Promise<void>
}

export const kernelSysctls: Sysctls = {
  async read(...key) {
    try {
      return (await readFile(pathOf(key), 'utf8')).trimEnd()
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  },
  async write(value, ...key) {
    await writeFile(pathOf(key), value)
  },
}

function pathOf(key: readonly string[]): string {
  return join('/proc/sys', ...key)
}
