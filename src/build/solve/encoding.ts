import { EngineError } from '#base/errors.ts'

/** What `encode` leaves to its caller: given an object, the value that stands for it, or undefined to encode its fields. */
export type Substitute = (value: object) => { readonly as: unknown } | undefined

/**
 * One text for equal plain values and different ones for others: JSON with sorted keys, where a field that is undefined is as
 * none. Values that JSON would flatten (maps, buffers, NaN) are refused rather than taken for one another.
 */
export function encode(value: unknown, substitute: Substitute = () => undefined): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  if (typeof value !== 'object') throw cannotEncode(value)
  const replaced = substitute(value)
  if (replaced !== undefined) return encode(replaced.as, substitute)
  if (Array.isArray(value)) return `[${value.map((item) => encode(item ?? null, substitute)).join(',')}]`
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw cannotEncode(value)
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${encode(field, substitute)}`)
  return `{${fields.join(',')}}`
}

function cannotEncode(value: unknown): EngineError {
  return new EngineError(
    'internal',
    `a step of a build has a value that no key can stand for: ${typeof value}`,
    {
      code: 'BUILD_KEY',
      details: { value: String(value) },
    },
  )
}
