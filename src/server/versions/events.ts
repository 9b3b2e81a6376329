import type { EventMessage } from '#api/generated/types.ts'
import { isBefore, type ApiVersion } from '#api/version.ts'

/** One record of `GET /events`; undefined when that version has no such event. */
export function lowerEvent(item: object, version: ApiVersion): object | undefined {
  const event = item as EventMessage
  if (isBefore(version, '1.46') && event.Type === 'image' && event.Action === 'create') return undefined
  if (!isBefore(version, '1.52')) return event
  const id = event.Actor?.ID ?? ''
  switch (event.Type) {
    case 'container':
      return { status: event.Action, id, from: event.Actor?.Attributes?.['image'] ?? '', ...event }
    case 'image':
      return { status: event.Action, id, ...event }
    default:
      return event
  }
}
