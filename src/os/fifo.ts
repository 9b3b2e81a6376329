import { once } from 'node:events'
import { constants, open } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { Socket } from 'node:net'
import { promisify } from 'node:util'
import { type Clock, systemClock } from '#base/clock.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import { runProcess } from './process.ts'

/** A named pipe that somebody else reads. */
export interface Fifo extends AsyncDisposable {
  /** Resolves when the pipe has taken it; rejects when nobody reads any more, or when the signal is aborted. */
  write(bytes: Uint8Array, options: { readonly signal?: AbortSignal | undefined }): Promise<void>
}

/** Milliseconds between two looks whether somebody reads. */
const LOOK_AGAIN = 20

/** Makes a pipe, only for its owner; what was there is replaced. */
export async function makeFifo(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
  const { code, stderr } = await runProcess(['mkfifo', '-m', '600', path])
  if (code !== 0)
    throw new EngineError('internal', `make pipe ${path}: ${stderr.trim()}`, { code: 'FIFO_FAILED' })
}

/** Opens the writing end as soon as there is a reader, `unavailable` after so many milliseconds without one. */
export async function openFifo(path: string, patience: number, clock: Clock = systemClock): Promise<Fifo> {
  const end = clock.now().getTime() + patience
  let fd: number | undefined
  while (fd === undefined) {
    fd = await openIfRead(path)
    if (fd !== undefined) break
    if (clock.now().getTime() >= end) {
      throw new EngineError('unavailable', `nobody reads ${path}`, { code: 'LOG_DESTINATION_UNREACHABLE' })
    }
    await clock.sleep(LOOK_AGAIN)
  }
  return fifoOf(fd)
}

/** A bare descriptor, which the socket closes: a FileHandle would close it again when it is collected. */
async function openIfRead(path: string): Promise<number | undefined> {
  try {
    return await promisify(open)(path, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (isErrno(error, 'ENXIO')) return undefined
    throw error
  }
}

function fifoOf(fd: number): Fifo {
  // A pipe is waited for by polling, so a reader that has stopped costs no thread.
  const pipe = new Socket({ fd, readable: false, writable: true })
  let failure: Error | undefined
  pipe.on('error', (error) => (failure = error))
  return {
    async write(bytes, { signal }) {
      if (failure !== undefined || pipe.destroyed) throw failure ?? new Error('the pipe is closed')
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const abort = (): void => reject(signal?.reason as Error)
      signal?.addEventListener('abort', abort, { once: true })
      pipe.write(bytes, (error) => {
        if (error === undefined || error === null) resolve()
        else reject(error)
      })
      await promise.finally(() => signal?.removeEventListener('abort', abort))
    },
    async [Symbol.asyncDispose]() {
      if (pipe.destroyed) return
      const gone = once(pipe, 'close')
      pipe.destroy()
      await gone
    },
  }
}
