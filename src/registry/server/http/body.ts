import type { IncomingMessage } from 'node:http'
import { EngineError } from '#base/errors.ts'
import { bodyTooLarge } from './errors.ts'

/** Bytes that wait to be taken before the sender has to. */
const HIGH_WATER = 1 << 18

/**
 * The body of a request, chunk by chunk as it comes, without joining chunks as a stream's own iterator does. `onRead` is
 * called before the first one is waited for. The request is left as it is when the reader stops early.
 */
export async function* readBody(
  request: IncomingMessage,
  onRead: () => void,
): AsyncGenerator<Uint8Array, void> {
  const queue: Uint8Array[] = []
  let queued = 0
  let ended = request.readableEnded
  let failure: Error | undefined =
    request.destroyed && !request.readableEnded ? bodyCut(request.errored) : undefined
  let wake = (): void => undefined

  const onData = (chunk: Uint8Array): void => {
    queue.push(chunk)
    queued += chunk.length
    if (queued >= HIGH_WATER) request.pause()
    wake()
  }
  const onEnd = (): void => {
    ended = true
    wake()
  }
  const onError = (error: unknown): void => {
    failure ??= bodyCut(error)
    wake()
  }
  const onClose = (): void => {
    if (!request.complete) onError(undefined)
  }
  request.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose)
  try {
    onRead()
    for (;;) {
      for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) {
        queued -= chunk.length
        yield chunk
      }
      if (failure !== undefined) throw failure
      if (ended) return
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      request.resume()
      await promise
    }
  } finally {
    request.pause()
    request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onError)
    // What is left of it may still fail; the answer has been decided.
    request.on('error', () => undefined)
  }
}

/** All of a small body, or `invalid_argument`. */
export async function readWhole(body: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > limit) throw bodyTooLarge(limit)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

function bodyCut(cause: unknown): EngineError {
  return new EngineError('cancelled', 'the body ended early', { code: 'BODY_CUT', cause })
}
