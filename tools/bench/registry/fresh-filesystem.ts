/**
 * A new ext4 in a file, mounted: deleting and making many files on a filesystem that is in use is slow for minutes after,
 * whoever does it, so every run gets its own.
 */
import { rmSync } from 'node:fs'
import { output } from '../../run-program.ts'

const SIZE = '6G'

export interface FreshFilesystem extends AsyncDisposable {
  readonly path: string
}

/** `inside`: what runs a program where the filesystem is to be seen; `[]` is here. `file` must mean the same there. */
export async function freshFilesystem(
  file: string,
  path: string,
  inside: { readonly run: readonly string[]; readonly file: string },
): Promise<FreshFilesystem> {
  await output(['truncate', '--size', SIZE, file])
  await output(['mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', file])
  await output([...inside.run, 'mkdir', '-p', path])
  await output([...inside.run, 'mount', '-o', 'loop', inside.file, path])
  return {
    path,
    async [Symbol.asyncDispose]() {
      await output([...inside.run, 'umount', '--recursive', path])
      await output([...inside.run, 'rmdir', path])
      rmSync(file)
    },
  }
}
