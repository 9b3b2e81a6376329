import { EngineError } from '#base/errors.ts'

/** Bytes of a message, either way: BuildKit's own limit. */
const LARGEST_MESSAGE = 16 << 20
/** A flag byte and the length. */
const HEAD = 5

/** A message as gRPC puts it on a stream, not compressed. */
export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD + message.length)
  frame[0] = 0
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, HEAD)
  return frame
}

/** The messages on a stream. Ends with it; `invalid_argument` when it ends within a message, `resource_exhausted` for one that is too large. */
export async function* framesIn(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = []
  let have = 0
  /** Bytes of the frame that begins in `pieces`; the head alone as long as that is not complete. */
  let wanted = HEAD
  for await (const chunk of stream) {
    pieces.push(chunk)
    have += chunk.length
    if (have < wanted) continue
    let bytes =
      pieces.length === 1 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat(pieces)
    for (;;) {
      wanted = bytes.length < HEAD ? HEAD : HEAD + lengthIn(bytes)
      if (bytes.length < wanted) break
      yield bytes.subarray(HEAD, wanted)
      bytes = bytes.subarray(wanted)
    }
    pieces = bytes.length === 0 ? [] : [bytes]
    have = bytes.length
  }
  if (have > 0) throw malformed('the stream ends within a message')
}

function lengthIn(head: Buffer): number {
  if (head[0] !== 0) throw malformed('compressed messages are not taken')
  const length = head.readUInt32BE(1)
  if (length <= LARGEST_MESSAGE) return length
  throw new EngineError(
    'resource_exhausted',
    `message of ${length} bytes: at most ${LARGEST_MESSAGE} are taken`,
    { code: 'GRPC_MESSAGE_TOO_LARGE', details: { length } },
  )
}

function malformed(why: string): EngineError {
  return new EngineError('invalid_argument', `malformed gRPC stream: ${why}`, {
    code: 'GRPC_STREAM_MALFORMED',
  })
}
