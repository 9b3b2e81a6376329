import { createReadStream } from 'node:fs'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { messageOf } from '#base/errors.ts'
import { commandError } from './errors.ts'

/** A file as a stream that is open already, so that a missing file is known before anything is sent. */
export async function openInput(file: string): Promise<Readable> {
  const stream = createReadStream(file, { highWaterMark: 1024 * 1024 })
  try {
    await once(stream, 'open')
  } catch (error) {
    throw commandError(`cannot read the archive ${file}: ${messageOf(error)}`, error)
  }
  return stream
}
