import { EngineError } from '#base/errors.ts'

/** Bytes of a blob; `end` exclusive. */
export interface ByteRange {
  readonly offset: number
  readonly end: number
}

/**
 * The one range that a request asks for. Undefined, for the whole: no range, several, or one that is not understood
 * (RFC 9110, 14.2 lets us). Throws RANGE_NOT_SATISFIABLE.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const [, first = '', last = ''] = /^bytes=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(header ?? '') ?? []
  if (first === '' && last === '') return undefined
  if (first === '') return suffix(Number(last), size)
  const offset = Number(first)
  const end = last === '' ? size : Math.min(Number(last) + 1, size)
  if (last !== '' && Number(last) < offset) return undefined
  if (offset >= size) throw notSatisfiable(size)
  return { offset, end }
}

function suffix(length: number, size: number): ByteRange {
  if (length === 0 || size === 0) throw notSatisfiable(size)
  return { offset: Math.max(size - length, 0), end: size }
}

function notSatisfiable(size: number): EngineError {
  return new EngineError('invalid_argument', `the blob has ${size} bytes`, {
    code: 'RANGE_NOT_SATISFIABLE',
    details: { size, headers: { 'Content-Range': `bytes */${size}` } },
  })
}
