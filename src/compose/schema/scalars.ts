import { parseByteSize } from '#base/byte-size.ts'
import { formatGoDuration } from '#base/go-duration.ts'
import type { ScalarValue } from '../document/node.ts'
import type { ScalarShape, ScalarType } from './shape.ts'
import { parseDuration } from './long-duration.ts'

/** What a value becomes, or what is wrong with it. */
export type Cast = { readonly value: ScalarValue } | { readonly problem: string }

/** Makes a scalar what its attribute holds. Text that interpolation left open (`config --no-interpolate`) stays as it is. */
export function castScalar(value: ScalarValue, shape: ScalarShape): Cast {
  if (value === null) return { value: shape.type === 'text' && shape.nullable !== true ? '' : null }
  if (typeof value === 'string' && shape.type !== 'string' && shape.type !== 'text' && value.includes('$')) {
    return { value }
  }
  const result = casts[shape.type](value)
  if (result === undefined) return { problem: `must be ${nouns[shape.type]}, not ${JSON.stringify(value)}` }
  const { oneOf } = shape
  if (oneOf !== undefined && !oneOf.includes(String(result))) {
    return {
      problem: `must be one of ${oneOf.map((each) => JSON.stringify(each)).join(', ')}, not ${JSON.stringify(value)}`,
    }
  }
  return { value: result }
}

const nouns: Readonly<Record<ScalarType, string>> = {
  string: 'a string',
  text: 'a string or a number',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  bytes: 'a size such as 64m',
  duration: 'a duration such as 1m30s',
  mode: 'permission bits such as 0440',
}

const TRUE = new Set(['true', 'y', 'yes', 'on', 't', '1'])
const FALSE = new Set(['false', 'n', 'no', 'off', 'f', '0'])

const casts: Readonly<
  Record<ScalarType, (value: string | number | boolean) => string | number | boolean | undefined>
> = {
  string: (value) => (typeof value === 'string' ? value : undefined),
  text: (value) => scalarText(value),
  integer: (value) => integerOf(value),
  number: (value) => numberOf(value),
  boolean(value) {
    if (typeof value === 'boolean') return value
    const word = typeof value === 'string' ? value.toLowerCase() : ''
    return TRUE.has(word) ? true : FALSE.has(word) ? false : undefined
  },
  bytes(value) {
    const size = typeof value === 'number' ? value : typeof value === 'string' ? sizeOf(value) : undefined
    return size === undefined ? undefined : String(Math.trunc(size))
  },
  duration(value) {
    const size = typeof value === 'string' ? parseDuration(value) : undefined
    return size === undefined ? undefined : formatGoDuration(size)
  },
  mode(value) {
    if (typeof value === 'number' && Number.isInteger(value)) return `0${value.toString(8)}`
    return typeof value === 'string' && /^[0-7]+$/.test(value)
      ? `0${Number.parseInt(value, 8).toString(8)}`
      : undefined
  },
}

/** -1 is no limit. */
function sizeOf(text: string): number | undefined {
  return text === '-1' ? -1 : parseByteSize(text)
}

function integerOf(value: string | number | boolean): number | undefined {
  const given = typeof value === 'string' && /^[-+]?\d+$/.test(value) ? Number(value) : value
  return typeof given === 'number' && Number.isInteger(given) ? given : undefined
}

function numberOf(value: string | number | boolean): number | undefined {
  const given = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof given === 'number' && Number.isFinite(given) ? given : undefined
}

/** A scalar as text: numbers as Go prints them. */
export function scalarText(value: ScalarValue): string {
  return value === null ? '' : String(value)
}
