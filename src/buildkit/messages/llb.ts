/** Package `pb`, as far as daemon and client of a Dockerfile build speak of it. */
import { bytes, field, int32, message, type Of, repeated, string } from '../wire/message.ts'

export const Platform = message({
  architecture: field(1, string),
  os: field(2, string),
  variant: field(3, string),
})

/** A graph of operations: each as its own message, the last one the end. */
export const Definition = message({ operations: repeated(1, bytes) })

export const SourceInfo = message({
  filename: field(1, string),
  data: field(2, bytes),
  language: field(4, string),
})

const Position = message({ line: field(1, int32), character: field(2, int32) })

export const Range = message({ start: field(1, Position.codec), end: field(2, Position.codec) })
export type Range = Of<typeof Range>
