import { once } from 'node:events'
import { EngineError } from '#base/errors.ts'
import { startProcess } from './process.ts'

/** A unix socket that takes datagrams, such as /dev/log. */
export interface Datagrams extends AsyncDisposable {
  /** Resolves when all were taken. Rejects with `unavailable` when the socket is not there or not there any more. */
  send(datagrams: readonly Uint8Array[]): Promise<void>
}

/** Sends by `berth-send` (native/PROTOCOL.md): Node has no such sockets. One batch at a time. */
export async function openDatagrams(program: string, path: string): Promise<Datagrams> {
  const child = await startProcess([program, path])
  let taken = 0
  let problem = ''
  let over = false
  let wake = Promise.withResolvers<void>()
  child.stdout.on('data', (chunk: Uint8Array) => {
    taken += chunk.length
    wake.resolve()
  })
  child.stderr.on('data', (chunk: Uint8Array) => (problem += Buffer.from(chunk).toString()))
  child.stdin.on('error', () => undefined) // its end tells why
  const ended = child.exited.then(() => {
    over = true
    wake.resolve()
  })

  return {
    async send(datagrams) {
      const wanted = taken + datagrams.length
      if (!over && !child.stdin.write(framed(datagrams))) {
        await Promise.race([once(child.stdin, 'drain').catch(() => undefined), ended])
      }
      while (taken < wanted) {
        if (over) throw unreachable(path, problem.trim())
        wake = Promise.withResolvers()
        await wake.promise
      }
    },
    async [Symbol.asyncDispose]() {
      child.stdin.destroy()
      // It may be waiting for a receiver that does not read.
      child.kill('SIGKILL')
      await ended
    },
  }
}

function framed(datagrams: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    datagrams.flatMap((datagram) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(datagram.length)
      return [length, datagram]
    }),
  )
}

function unreachable(path: string, why: string): EngineError {
  return new EngineError('unavailable', why || `${path} takes no more datagrams`, {
    code: 'LOG_DESTINATION_UNREACHABLE',
    details: { path },
  })
}
