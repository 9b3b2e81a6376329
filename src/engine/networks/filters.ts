import { EngineError } from '#base/errors.ts'
import { hasLabel, matchesPattern } from '../filter-values.ts'
import { severalUntil } from '../images/errors.ts'
import { parseUntil } from '../images/until.ts'
import type { Filters } from '../services.ts'
import { isUserDefined } from './names-of.ts'
import type { Network } from './network.ts'

type Test = (network: Network, value: string, context: FilterContext) => boolean

export interface FilterContext {
  /** Whether a container is on the network now. */
  readonly used: (network: Network) => boolean
}

const listTests: Readonly<Record<string, Test>> = {
  id: ({ id }, value) => matchesPattern(id, value),
  name: ({ name }, value) => matchesPattern(name, value),
  driver: ({ driver }, value) => driver === value,
  scope: (_network, value) => value === 'local',
  type: ({ name }, value) => (value === 'custom') === isUserDefined(name),
  dangling: (network, value, { used }) => isTrue(value) === (isUserDefined(network.name) && !used(network)),
}

/** Values of one key are alternatives, except labels, which must all match. */
export function matchesListFilters(network: Network, filters: Filters, context: FilterContext): boolean {
  return [...filters].every(([key, values]) => {
    if (key === 'label') return values.every((value) => hasLabel(network.labels, value))
    const test = listTests[key]
    if (test === undefined) throw invalid(`invalid filter '${key}'`)
    if (key === 'type') values.forEach(checkType)
    return values.length === 0 || values.some((value) => test(network, value, context))
  })
}

/** `until`, `label` and `label!`. */
export function matchesPruneFilters(network: Network, filters: Filters): boolean {
  return [...filters].every(([key, values]) => {
    switch (key) {
      case 'until':
        if (values.length > 1) throw severalUntil()
        return values.every((value) => Date.parse(network.createdAt) < parseUntil(value, Date.now()))
      case 'label':
        return values.every((value) => hasLabel(network.labels, value))
      case 'label!':
        return !values.some((value) => hasLabel(network.labels, value))
      default:
        throw invalid(`invalid filter '${key}'`)
    }
  })
}

function checkType(value: string): void {
  if (value !== 'custom' && value !== 'builtin') throw invalid(`invalid filter: 'type'='${value}'`)
}

function isTrue(value: string): boolean {
  if (['1', 'true', 't', 'T', 'TRUE', 'True'].includes(value)) return true
  if (['0', 'false', 'f', 'F', 'FALSE', 'False'].includes(value)) return false
  throw invalid(`invalid filter 'dangling=${value}'`)
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'FILTER_INVALID' })
}
