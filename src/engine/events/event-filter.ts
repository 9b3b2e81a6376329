import { hasLabel } from '../filter-values.ts'
import type { Filters } from '../services.ts'

/** What filters look at. */
export interface FilterableEvent {
  readonly type: string
  readonly action: string
  readonly actorId: string
  readonly attributes: Readonly<Record<string, string>>
}

/** Actions that carry a detail after a colon (`exec_start: ls`); the name alone matches too. */
const DETAILED = ['exec_create', 'exec_start', 'health_status']

/** Keys whose values are the beginning of an actor's id or name. */
const ACTORS = [
  'container',
  'daemon',
  'plugin',
  'volume',
  'network',
  'node',
  'service',
  'secret',
  'config',
  'builder',
]

/**
 * Docker's event filters (Engine API, /events): values of one key are alternatives, except labels, which must all be
 * there; keys must all match; unknown keys are ignored.
 */
export function matchesFilters(event: FilterableEvent, filters: Filters): boolean {
  const any = (key: string, test: (value: string) => boolean): boolean => {
    const values = filters.get(key)
    return values === undefined || values.length === 0 || values.some(test)
  }
  return (
    any('type', (value) => value === event.type) &&
    any('scope', (value) => value === 'local') &&
    any('event', (value) => matchesAction(event.action, value)) &&
    any('image', (value) => matchesImage(event, value)) &&
    (filters.get('label') ?? []).every((value) => hasLabel(event.attributes, value)) &&
    ACTORS.every((key) =>
      any(
        key,
        (value) => event.actorId.startsWith(value) || (event.attributes['name'] ?? '').startsWith(value),
      ),
    )
  )
}

function matchesAction(action: string, wanted: string): boolean {
  return action === wanted || (DETAILED.includes(wanted) && action.startsWith(`${wanted}:`))
}

function matchesImage({ type, actorId, attributes }: FilterableEvent, wanted: string): boolean {
  const name = attributes[type === 'image' ? 'name' : 'image'] ?? ''
  return [actorId, name].some((image) => image === wanted || withoutTag(image) === wanted)
}

/** `host:5000/name:tag` → `host:5000/name`. */
function withoutTag(image: string): string {
  const colon = image.lastIndexOf(':')
  return colon > image.lastIndexOf('/') ? image.slice(0, colon) : image
}
