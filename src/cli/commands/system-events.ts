import type { EventMessage } from '#api/generated/types.ts'
import { command } from '../command.ts'
import { errorText, hasCode, templateError } from '../errors.ts'
import { filter, string } from '../flags.ts'
import { toJson } from '../format/template/print.ts'
import { parseTemplate } from '../format/template/template.ts'
import { view } from '../format/template/view.ts'
import { unixTime } from '../time-argument.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Follow what happens in the engine',
  min: 0,
  max: 0,
  flags: {
    filter: filter(),
    format: string("'json', or a Go template"),
    since: string('Begin with what happened since a time, or for so long'),
    until: string('End at a time'),
  },
  async run({ flags }, { client, io, out, signal }) {
    const { format } = flags
    const show = format === '' ? lineOf : format === 'json' ? toJson : templated(format)
    const events = client.system.events({
      since: unixTime(flags.since, io.now()),
      until: unixTime(flags.until, io.now()),
      filters: flags.filter,
      signal,
    })
    for await (const event of events) out(`${show(inOrder(event))}\n`)
  },
})

function templated(format: string): (event: EventMessage) => string {
  const template = parseTemplate(format)
  return (event) => {
    try {
      return template.execute(eventView(event))
    } catch (error) {
      // A field that events do not have is a mistake of the format, though only the first event shows it.
      if (hasCode(error, 'TEMPLATE_FAILED')) throw templateError(`Error parsing format: ${errorText(error)}`)
      throw error
    }
  }
}

/** With attributes in the order of their names, as Go writes maps. */
function inOrder(event: EventMessage): EventMessage {
  const { Actor } = event
  if (Actor?.Attributes === undefined || Actor.Attributes === null) return event
  const entries = Object.entries(Actor.Attributes).sort(([a], [b]) => (a < b ? -1 : 1))
  return { ...event, Actor: { ...Actor, Attributes: Object.fromEntries(entries) } }
}

/** Field names are those of Docker's event message. */
function eventView(event: EventMessage): ReturnType<typeof view> {
  const { Actor } = event
  const legacy = event as { readonly status?: string; readonly id?: string; readonly from?: string }
  return view(
    '*events.Message',
    {
      Status: () => legacy.status ?? event.Action ?? '',
      ID: () => legacy.id ?? Actor?.ID ?? '',
      From: () => legacy.from ?? Actor?.Attributes?.['image'] ?? '',
      Type: () => event.Type ?? '',
      Action: () => event.Action ?? '',
      Actor: () => ({ ID: Actor?.ID ?? '', Attributes: Actor?.Attributes ?? {} }),
      Scope: () => event.scope ?? '',
      Time: () => event.time ?? 0,
      TimeNano: () => event.timeNano ?? 0,
    },
    event,
  )
}

function lineOf(event: EventMessage): string {
  const attributes = Object.entries(event.Actor?.Attributes ?? {}).map(([key, value]) => `${key}=${value}`)
  const about = attributes.length === 0 ? '' : ` (${attributes.join(', ')})`
  return `${timeOf(event)} ${event.Type ?? ''} ${event.Action ?? ''} ${event.Actor?.ID ?? ''}${about}`
}

/** RFC 3339 in the local zone, always with nine decimal places. */
function timeOf(event: EventMessage): string {
  const nanoseconds = BigInt(event.timeNano ?? BigInt(event.time ?? 0) * 1_000_000_000n)
  const date = new Date(Number(nanoseconds / 1_000_000n))
  const offset = -date.getTimezoneOffset()
  const pad = (value: number): string => String(Math.trunc(Math.abs(value))).padStart(2, '0')
  const zone = offset === 0 ? 'Z' : `${offset < 0 ? '-' : '+'}${pad(offset / 60)}:${pad(offset % 60)}`
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19)
  return `${local}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}${zone}`
}
