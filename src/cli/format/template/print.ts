import { escapeJson } from '#base/go-json.ts'
import { stringify } from '#api/json.ts'
import { nilList, nilMap, structText } from './go-types.ts'
import { isMap, isView, typeOf } from './view.ts'

/** A value as Go's `%v` prints it. */
export function printValue(value: unknown): string {
  if (value === undefined || value === null) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(printValue).join(' ')}]`
  if (isView(value)) return `{${typeOf(value)}}`
  if (isMap(value)) {
    return (
      structText(value, printValue) ??
      `map[${sortedKeys(value)
        .map((key) => `${key}:${entry(key, value[key])}`)
        .join(' ')}]`
    )
  }
  return typeof value === 'string' ? value : stringify(value)
}

/** A value of a map: sets have empty structs for values, and a port that is not published has no bindings. */
function entry(key: string, value: unknown): string {
  if (isMap(value) && Object.keys(value).length === 0) return '{}'
  return value === null && /^\d+\/\w+$/.test(key) ? '[]' : printValue(value)
}

/** What an action writes: nothing at all is `<no value>`. */
export function printResult(value: unknown): string {
  return value === undefined ? '<no value>' : printValue(value)
}

export function sortedKeys(map: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(map).sort()
}

/** The JSON form: views have their fields in alphabetical order and, as Go does for them, escaped `<`, `>` and `&`. */
export function toJson(value: unknown): string {
  if (value === nilList || value === nilMap) return 'null'
  if (isView(value)) {
    if (value.document !== undefined) return toJson(value.document)
    const fields = sortedKeys(value.fields).flatMap((name) => {
      const field = value.fields[name]
      return field === undefined || field.length > 0 ? [] : [`${JSON.stringify(name)}:${toJson(field())}`]
    })
    return escapeJson(`{${fields.join(',')}}`)
  }
  if (Array.isArray(value)) return `[${value.map(toJson).join(',')}]`
  return stringify(value ?? null)
}

const verbs = /%([-+# 0]*)(\d+|\*)?(?:\.(\d+|\*)?)?([^]|$)/g

/** Go's Sprintf for the verbs that templates use. */
export function sprintf(format: string, args: readonly unknown[]): string {
  const rest = [...args]
  const number = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : text === '*' ? Number(rest.shift()) : Number(text)
  const output = format.replaceAll(
    verbs,
    (all, flags: string, width?: string, precision?: string, verb = '') => {
      if (verb === '%') return '%'
      if (verb === '') return '%!(NOVERB)'
      const wide = number(width) ?? 0
      const exact = number(precision) ?? (all.includes('.') ? 0 : undefined)
      if (rest.length === 0) return `%!${verb}(MISSING)`
      const body = formatOne(verb, rest.shift(), exact, flags)
      if (flags.includes('-')) return body.padEnd(wide)
      return flags.includes('0') && !/[svq]/.test(verb) ? zeroPad(body, wide) : body.padStart(wide)
    },
  )
  return rest.length === 0
    ? output
    : `${output}%!(EXTRA ${rest.map((each) => `${goType(each)}=${printValue(each)}`).join(', ')})`
}

type Formatter = (value: unknown, precision: number | undefined, sign: string) => string | undefined

/** What each verb makes of a value; undefined when they do not go together. */
const formatters: Readonly<Record<string, Formatter>> = {
  v: text,
  s: (value, precision) => (isPlain(value) ? undefined : text(value, precision)),
  q: (value) => JSON.stringify(printValue(value)),
  d: (value, _precision, sign) => (isInteger(value) ? sign + String(value) : undefined),
  x: (value) => hex(value),
  X: (value) => hex(value).toUpperCase(),
  o: (value) => (isInteger(value) ? value.toString(8) : undefined),
  b: (value) => (isInteger(value) ? value.toString(2) : undefined),
  c: (value) => (typeof value === 'number' ? String.fromCodePoint(value) : undefined),
  f: (value, precision, sign) =>
    typeof value === 'number' ? sign + value.toFixed(precision ?? 6) : undefined,
  e: (value, precision, sign) =>
    typeof value === 'number' ? sign + exponential(value, precision ?? 6) : undefined,
  g: (value, precision, sign) =>
    typeof value === 'number'
      ? sign + String(precision ? Number(value.toPrecision(precision)) : value)
      : undefined,
  t: (value) => (typeof value === 'boolean' ? String(value) : undefined),
  T: goType,
}

/** At least two digits of exponent. */
function exponential(value: number, precision: number): string {
  return value.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2')
}

function formatOne(verb: string, value: unknown, precision: number | undefined, flags: string): string {
  if ((value === undefined || value === null) && verb !== 'v' && verb !== 'T') return `%!${verb}(<nil>)`
  const sign = flags.includes('+') && Number(value) >= 0 ? '+' : ''
  return formatters[verb]?.(value, precision, sign) ?? bad(verb, value)
}

/** What `%s` is not for. */
function isPlain(value: unknown): boolean {
  return ['boolean', 'number', 'bigint'].includes(typeof value)
}

function text(value: unknown, precision: number | undefined): string {
  const all = printValue(value)
  return precision === undefined ? all : Array.from(all).slice(0, precision).join('')
}

function hex(value: unknown): string {
  return isInteger(value) ? value.toString(16) : Buffer.from(printValue(value)).toString('hex')
}

function isInteger(value: unknown): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
}

function bad(verb: string, value: unknown): string {
  return `%!${verb}(${goType(value)}=${printValue(value)})`
}

function zeroPad(text: string, width: number): string {
  const [, sign = '', digits = ''] = /^([+-]?)(.*)$/.exec(text) ?? []
  return sign + digits.padStart(width - sign.length, '0')
}

/** The Go type that a value would have. */
export function goType(value: unknown): string {
  if (value === undefined || value === null) return '<nil>'
  if (isView(value)) return typeOf(value)
  if (Array.isArray(value)) return '[]interface {}'
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float64'
    default:
      return 'map[string]interface {}'
  }
}
