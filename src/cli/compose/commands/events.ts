import { labels, ofProject } from '#compose/state/labels.ts'
import { bool, string } from '../../flags.ts'
import { unixTime } from '../../time-argument.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Follow what happens to the containers of the project',
  flags: {
    json: bool('A JSON object per line'),
    since: string('Begin with what happened since a time, or for so long'),
    until: string('End at a time'),
  },
  async run({ args, flags }, context) {
    const { client, io, out, signal } = context
    const { name } = await context.source.name()
    const events = client.system.events({
      since: unixTime(flags.since, io.now()),
      until: unixTime(flags.until, io.now()),
      filters: { type: ['container'], ...ofProject(name) },
      signal,
    })
    for await (const { Action, Actor, time } of events) {
      const attributes = Actor?.Attributes ?? {}
      const service = attributes[labels.service] ?? ''
      if (args.length > 0 && !args.includes(service)) continue
      const own = Object.fromEntries(
        Object.entries(attributes).filter(([key]) => !key.startsWith('com.docker.compose.')),
      )
      const when = new Date((time ?? 0) * 1000).toISOString()
      const event = {
        time: when,
        type: 'container',
        service,
        id: Actor?.ID ?? '',
        action: Action ?? '',
        attributes: own,
      }
      const details = Object.entries(own).map(([key, value]) => `${key}=${value}`)
      out(
        flags.json
          ? `${JSON.stringify(event)}\n`
          : `${when} container ${event.action} ${event.id} (${details.join(', ')})\n`,
      )
    }
  },
})
