/** The records of Docker's log plugins: a length (u32, big-endian), then a protobuf message `LogEntry`. */
import { timeNanoseconds } from '../log-record.ts'
import type { ForwardedRecord } from './destination.ts'

/** Field numbers and wire types of LogEntry: source, time_nano, line, partial. */
const SOURCE = (1 << 3) | 2
const TIME_NANO = 2 << 3
const LINE = (3 << 3) | 2
const PARTIAL = 4 << 3

/** @returns the message with its length before it */
export function logEntry({ stdout, text, partial, time }: ForwardedRecord): Buffer {
  const message = Buffer.concat([
    lengthDelimited(SOURCE, Buffer.from(stdout ? 'stdout' : 'stderr')),
    Buffer.from([TIME_NANO, ...varint(timeNanoseconds(time))]),
    lengthDelimited(LINE, text),
    // A field that is false is left out.
    Buffer.from(partial ? [PARTIAL, 1] : []),
  ])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(message.length)
  return Buffer.concat([length, message])
}

function lengthDelimited(key: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([key, ...varint(BigInt(bytes.length))]), bytes])
}

function varint(value: bigint): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return [...bytes, Number(rest)]
}
