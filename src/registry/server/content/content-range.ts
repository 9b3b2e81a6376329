import { contentRangeInvalid } from './errors.ts'

/** Bytes of a body; `end` exclusive. */
export interface ChunkRange {
  readonly offset: number
  readonly end: number
}

/** `FIRST-LAST` of a chunk, also as HTTP writes it: `bytes FIRST-LAST/…`. distribution-spec "Pushing a blob in chunks" */
export function parseContentRange(text: string | undefined): ChunkRange | undefined {
  if (text === undefined) return undefined
  const [, first, last] =
    /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(text.trim()) ?? []
  if (first === undefined || last === undefined || Number(last) < Number(first)) {
    throw contentRangeInvalid(text.slice(0, 100))
  }
  return { offset: Number(first), end: Number(last) + 1 }
}
