import { FrameReader, streamType } from '#api/stdcopy.ts'
import { EngineError } from '#base/errors.ts'
import { DAEMON_ERROR } from './errors.ts'

/** A piece of one stream of a container without a terminal. */
export interface Output {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Uint8Array
}

/**
 * Splits Docker's multiplexed stream back into its streams. Rejects with the daemon's message when it sends a frame of
 * errors, and with `data_loss` when the stream ends inside a frame.
 */
export async function* demultiplex(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Output> {
  const reader = new FrameReader()
  for await (const chunk of chunks) {
    for (const { type, payload } of reader.push(chunk)) {
      switch (type) {
        case streamType.stdin:
        case streamType.stdout:
          yield { stream: 'stdout', data: payload }
          break
        case streamType.stderr:
          yield { stream: 'stderr', data: payload }
          break
        case streamType.error:
          throw new EngineError('internal', Buffer.from(payload).toString(), { code: DAEMON_ERROR })
        default:
          throw damaged(`unrecognized stream type ${String(type)}`)
      }
    }
  }
  if (!reader.isAtBoundary) throw damaged('it ends inside a frame')
}

function damaged(why: string): EngineError {
  return new EngineError('data_loss', `the output stream of the container is damaged: ${why}`, {
    code: 'STREAM_DAMAGED',
  })
}
