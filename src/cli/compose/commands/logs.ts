import { ofProject } from '#compose/state/labels.ts'
import { observedContainer } from '#compose/state/observed.ts'
import { bool, integer, string } from '../../flags.ts'
import { unixTime } from '../../time-argument.ts'
import { findContainers, shortName } from '../containers.ts'
import { printLogs } from '../logs/follow-logs.ts'
import { LogPrinter, logStyle } from '../logs/log-printer.ts'
import { type ComposeContext, subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Show what containers have written',
  flags: {
    follow: bool('Go on as more is written, also by containers that are made later', { short: 'f' }),
    index: integer('Only the container with this number'),
    'no-color': bool('Without colours'),
    'no-log-prefix': bool('Without names before it'),
    since: string('Since a time (2026-01-02T15:04:05Z) or for so long (42m)'),
    tail: string('Only the last so many lines of each container', { short: 'n', initial: 'all' }),
    timestamps: bool('Show when it was written', { short: 't' }),
    until: string('Until a time or so long ago'),
  },
  async run({ args, flags }, context) {
    const { client, io, signal, globals } = context
    const { name, containers } = await findContainers(args, context)
    const chosen = containers.filter(({ number }) => flags.index === undefined || number === flags.index)
    const printer = new LogPrinter(
      io.stdout,
      logStyle(flags, globals.ansi, io),
      chosen.map((container) => shortName(container, name)),
    )
    const options = {
      follow: flags.follow,
      timestamps: flags.timestamps,
      tail: flags.tail,
      since: unixTime(flags.since, io.now()),
      until: unixTime(flags.until, io.now()),
      signal,
    }
    const seen = new Set(chosen.map(({ id }) => id))
    const print = (container: (typeof chosen)[number]): Promise<void> =>
      printLogs(client, { id: container.id, name: shortName(container, name) }, printer, options)
    const printed = chosen.map(print)
    if (flags.follow) printed.push(followNew(name, args, seen, print, context))
    await Promise.all(printed)
  },
})

/** Containers that are made while we look on. */
async function followNew(
  project: string,
  services: readonly string[],
  seen: Set<string>,
  print: (container: ReturnType<typeof observedContainer>) => Promise<void>,
  { client, signal }: ComposeContext,
): Promise<void> {
  const printed: Promise<void>[] = []
  try {
    const events = client.system.events({
      filters: { type: ['container'], event: ['start'], ...ofProject(project) },
      signal,
    })
    for await (const { Actor } of events) {
      const id = Actor?.ID ?? ''
      const [summary] = seen.has(id)
        ? []
        : await client.containerQuery.list({ all: true, filters: { id: [id] } })
      if (summary === undefined) continue
      seen.add(id)
      const container = observedContainer(summary)
      if (services.length === 0 || services.includes(container.service)) printed.push(print(container))
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  await Promise.all(printed)
}
