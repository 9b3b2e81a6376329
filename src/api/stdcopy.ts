/**
 * The framing of an attached stream without a terminal: type, three zero bytes, length (big-endian), payload.
 */
export const streamType = { stdin: 0, stdout: 1, stderr: 2, error: 3 } as const
export type StreamType = (typeof streamType)[keyof typeof streamType]

const HEADER = 8

/** One frame. */
export function frame(type: StreamType, payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(HEADER + payload.length)
  framed.writeUInt32LE(type, 0)
  framed.writeUInt32BE(payload.length, 4)
  framed.set(payload, HEADER)
  return framed
}

export interface Frame {
  readonly type: StreamType
  readonly payload: Uint8Array
}

/** Cuts a byte stream into frames however it was split; keeps an unfinished frame for the next push. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = []
    let bytes = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk])
    while (bytes.length >= HEADER) {
      const end = HEADER + bytes.readUInt32BE(4)
      if (bytes.length < end) break
      frames.push({ type: (bytes[0] ?? 0) as StreamType, payload: bytes.subarray(HEADER, end) })
      bytes = bytes.subarray(end)
    }
    this.#rest = bytes
    return frames
  }

  /** True when the stream may end here. */
  get isAtBoundary(): boolean {
    return this.#rest.length === 0
  }
}
