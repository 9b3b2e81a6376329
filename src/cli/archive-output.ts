import { createWriteStream, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Context } from './command.ts'
import { commandError } from './errors.ts'

/**
 * Writes an archive to `file`, or to stdout when that is empty and no terminal. A file appears only when it is
 * complete.
 */
export async function writeArchive(
  file: string,
  context: Context,
  open: () => Promise<Readable>,
): Promise<void> {
  const { stdout } = context.io
  if (file === '' && stdout.isTTY === true) {
    throw commandError('cowardly refusing to save to a terminal. Use the -o flag or redirect')
  }
  const archive = await open()
  if (file === '') {
    await pipeline(archive, stdout, { end: false })
    return
  }
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === false) {
    // A device or a pipe: there is nothing to put in place of it.
    await pipeline(archive, createWriteStream(file))
    return
  }
  const partial = `${file}.partial-${process.pid}`
  try {
    await pipeline(archive, createWriteStream(partial, { mode: 0o600 }))
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}
