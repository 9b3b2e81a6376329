import { command } from '../command.ts'
import { alignColumns } from '../format/table.ts'

export default command({
  usage: 'CONTAINER [ps OPTIONS]',
  summary: 'Show the processes of a container',
  min: 1,
  interspersed: false,
  completes: 'running',
  flags: {},
  async run({ args: [ref = '', ...options] }, { client, out }) {
    const { Titles, Processes } = await client.containerQuery.top(ref, options.join(' ') || undefined)
    const lines = [Titles ?? [], ...(Processes ?? [])].map((cells) => `${cells.join('\t')}\n`)
    out(alignColumns(lines.join(''), { minWidth: 20 }))
  },
})
