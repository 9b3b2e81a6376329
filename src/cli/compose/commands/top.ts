import { isUp } from '#compose/state/observed.ts'
import { alignColumns } from '../../format/table.ts'
import { findContainers } from '../containers.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[SERVICES...]',
  summary: 'Show the processes of containers',
  flags: {},
  async run({ args }, { client, out, ...context }) {
    const { containers } = await findContainers(args, { client, out, ...context })
    const tables = await Promise.all(
      containers.filter(isUp).map(async ({ id, service, number }) => {
        const { Titles, Processes } = await client.containerQuery.top(id)
        const rows = (Processes ?? []).map((cells) => [service, String(number), ...cells])
        return { titles: ['SERVICE', '#', ...(Titles ?? [])], rows }
      }),
    )
    const [first] = tables
    if (first === undefined) return
    const lines = [first.titles, ...tables.flatMap(({ rows }) => rows)].map((cells) => cells.join('\t'))
    out(`${alignColumns(lines.join('\n'), { minWidth: 4, padding: 2 })}\n`)
  },
})
