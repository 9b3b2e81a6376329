import { sortedMaps } from './go-types.ts'
import { goType, printValue, sprintf, toJson } from './print.ts'
import { isMap } from './view.ts'

/** A function a template may call; what it throws becomes part of the template's error. */
export type TemplateFunction = (...args: unknown[]) => unknown

/** `and` and `or` evaluate their arguments one by one, so the evaluator has them itself. */
export const lazyFunctions: readonly string[] = ['and', 'or']

/** The built-in functions of Go's text/template and those that Docker adds. */
export const functions: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ['not', (value) => !isTruthy(value)],
  ['len', length],
  ['index', (value, ...keys) => keys.reduce(indexOne, value)],
  ['slice', slice],
  ['print', (...args) => print(args)],
  ['printf', (format, ...args) => sprintf(text(format), args)],
  ['println', (...args) => `${args.map(printValue).join(' ')}\n`],
  ['html', (...args) => escapeHtml(printed(args))],
  ['js', (...args) => escapeScript(printed(args))],
  ['urlquery', (...args) => encodeURIComponent(printed(args)).replaceAll('%20', '+')],
  ['eq', (first, ...others) => others.some((other) => isEqual(first, other))],
  ['ne', (a, b) => !isEqual(a, b)],
  ['lt', (a, b) => compare(a, b) < 0],
  ['le', (a, b) => compare(a, b) <= 0],
  ['gt', (a, b) => compare(a, b) > 0],
  ['ge', (a, b) => compare(a, b) >= 0],
  ['json', (value) => toJson(sortedMaps(value))],
  ['split', (value, separator) => text(value).split(text(separator))],
  ['join', (values, separator) => elements(values).map(printValue).join(text(separator))],
  [
    'title',
    (value) =>
      text(value).replaceAll(
        // Words begin after a space or an ASCII character that is in no word.
        /(?<![\p{L}\p{N}_])(?<=^|\s|[!-/:-@[-^`{-~])\p{L}/gu,
        (first) => first.toUpperCase(),
      ),
  ],
  ['lower', (value) => text(value).toLowerCase()],
  ['upper', (value) => text(value).toUpperCase()],
  ['pad', (value, before, after) => pad(text(value), Number(before), Number(after))],
  ['truncate', (value, width) => Array.from(text(value)).slice(0, Number(width)).join('')],
])

/** In the header of a table the values are column titles, which stay as they are. */
export const headerFunctions: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ...functions,
  ...['json', 'split', 'join', 'title', 'lower', 'upper', 'truncate'].map(
    (name): [string, TemplateFunction] => [name, (value) => value],
  ),
])

export function isTruthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (isMap(value)) return Object.keys(value).length > 0
  return (
    value !== undefined && value !== null && value !== false && value !== 0 && value !== 0n && value !== ''
  )
}

function text(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TypeError(`wrong type for value; expected string; got ${goType(value)}`)
}

function elements(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  if (value === null || value === undefined) return []
  throw new TypeError(`wrong type for value; expected []string; got ${goType(value)}`)
}

/** Like Go's Sprint: spaces between neighbours that are both no strings. */
function print(args: readonly unknown[]): string {
  return args
    .map((each, i) => {
      const before = args[i - 1]
      const spaced = i > 0 && typeof before !== 'string' && typeof each !== 'string'
      return (spaced ? ' ' : '') + printValue(each)
    })
    .join('')
}

/** What is escaped: one that is nothing is said to be so. */
function printed(args: readonly unknown[]): string {
  return args.length === 1 && (args[0] === undefined || args[0] === null) ? '<no value>' : print(args)
}

function length(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (Array.isArray(value)) return value.length
  if (isMap(value)) return Object.keys(value).length
  if (value === null || value === undefined) throw new TypeError('len of nil pointer')
  throw new TypeError(`len of type ${goType(value)}`)
}

function indexOne(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) {
    const at = position(key)
    if (at < 0 || at >= value.length) throw new RangeError(`index out of range: ${at}`)
    return value[at]
  }
  if (typeof value === 'string') {
    const byte = Buffer.from(value)[position(key)]
    if (byte === undefined) throw new RangeError(`index out of range: ${printValue(key)}`)
    return byte
  }
  if (value === null || value === undefined) throw new TypeError('index of untyped nil')
  // A missing key of a map of strings is the empty string.
  if (isMap(value)) {
    const found = value[String(key)]
    if (found !== undefined) return found
    return Object.values(value).every((each) => typeof each === 'string') ? '' : undefined
  }
  throw new TypeError(`can't index item of type ${goType(value)}`)
}

function position(key: unknown): number {
  if (typeof key === 'number' && Number.isInteger(key)) return key
  throw new TypeError(`cannot index slice/array with type ${goType(key)}`)
}

function slice(value: unknown, ...bounds: unknown[]): unknown {
  const [from = 0, to] = bounds.map(Number)
  const size = length(value)
  if (from < 0 || from > size || (to !== undefined && (to < from || to > size))) {
    throw new RangeError(`index out of range: ${to ?? from}`)
  }
  if (Array.isArray(value)) return value.slice(from, to)
  return Buffer.from(text(value)).subarray(from, to).toString()
}

function isEqual(a: unknown, b: unknown): boolean {
  if (isNumeric(a) && isNumeric(b)) return Number(a) === Number(b)
  if (a === null || a === undefined || b === null || b === undefined) return (a ?? null) === (b ?? null)
  if (typeof a !== typeof b) throw new TypeError('incompatible types for comparison')
  if (typeof a === 'object') throw new TypeError('non-comparable type')
  return a === b
}

function compare(a: unknown, b: unknown): number {
  if (isNumeric(a) && isNumeric(b)) return Number(a) - Number(b)
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  throw new TypeError('incompatible types for comparison')
}

function isNumeric(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

function pad(value: string, before: number, after: number): string {
  return value === '' ? '' : ' '.repeat(before) + value + ' '.repeat(after)
}

const htmlEntities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
}

/** What could end a script or a string in it. */
function escapeScript(value: string): string {
  return JSON.stringify(value)
    .slice(1, -1)
    .replaceAll("'", "\\'")
    .replaceAll(/[<>&=]/g, (each) => `\\u00${each.charCodeAt(0).toString(16).toUpperCase()}`)
}

function escapeHtml(value: string): string {
  return value.replaceAll(/[&<>"']/g, (character) => htmlEntities[character] ?? character)
}
