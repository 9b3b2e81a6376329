import { csvFields } from './create/csv.ts'
import { commandError } from './errors.ts'
import { cut } from './flags.ts'

/** DOCKER_CUSTOM_HEADERS: `name=value,…`, each field as in CSV. */
export function customHeaders(text: string | undefined): Readonly<Record<string, string>> {
  if (text === undefined || text === '') return {}
  const refuse = (why: string): Error =>
    commandError(`cannot read DOCKER_CUSTOM_HEADERS: ${why}; write name=value, separated by commas`)
  const pairs = csvFields(text).map((field) => {
    const [name, value] = cut(field, '=')
    if (value === undefined) throw refuse(`"${field}" has no value`)
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name.trim())) throw refuse(`"${name}" is no name of a header`)
    return [name.trim(), value] as const
  })
  return Object.fromEntries(pairs)
}
