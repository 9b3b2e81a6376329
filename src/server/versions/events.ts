import type { EventMessage } from '#api/generated/types.ts'
import { isBefore, type ApiVersion } from '#api/version.ts'

/** One record of `GET /events`; undefined when that version has no such event. */
export function lowerEvent(item: object, version: ApiVersion): object | undefined {
  const event = item as EventMessage
  if (isBefore(version, '1.46') && event.Type === 'image' && event.Action === 'create') return undefined
  if (!isBefore(version, '1.52')) return event
  const { Type, Action: status, Actor } = event
  const from = Type === 'container' ? Actor?.Attributes?.['image'] : undefined
  switch (Type) {
    case 'container':
    case 'image':
      return { status, ...(Actor?.ID ? { id: Actor.ID } : {}), ...(from ? { from } : {}), ...event }
    default:
      return event
  }
}
