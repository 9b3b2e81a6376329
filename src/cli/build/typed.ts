import { resolve } from 'node:path'
import type { TypedAttributes } from '#api/build-extras.ts'
import { csvFields } from '../create/csv.ts'
import { commandError } from '../errors.ts'
import { cut } from '../flags.ts'
import type { Io } from '../io.ts'

/** The fields of `key=value,key=value`; a field without `=` stands for itself. Keys are lower case. */
export function fieldsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    csvFields(text).map((field) => {
      const [key, value] = cut(field, '=')
      return [key.trim().toLowerCase(), value ?? '']
    }),
  )
}

/** `type=local,dest=out` as a value. `what` is for the error when there is no type. */
export function parseTyped(text: string, what: string): TypedAttributes {
  const { type = '', ...attributes } = fieldsOf(text)
  if (type === '')
    throw commandError(`invalid ${what} ${JSON.stringify(text)}: type is missing, as in type=local,…`)
  return { type, attributes }
}

/** `--cache-from` and `--cache-to`; a name alone is an image with results in it. */
export function parseCache(text: string, { cwd }: Pick<Io, 'cwd'>): TypedAttributes {
  if (!text.includes('=')) return { type: 'registry', attributes: { ref: text } }
  const { type, attributes } = parseTyped(text, 'cache')
  if (type !== 'local') return { type, attributes }
  // The engine reads and writes it, wherever it was started.
  const places = ['src', 'dest'].flatMap((key) => {
    const place = attributes[key]
    return place === undefined ? [] : [[key, resolve(cwd, place)] as const]
  })
  return { type, attributes: { ...attributes, ...Object.fromEntries(places) } }
}
