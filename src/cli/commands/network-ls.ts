import { command } from '../command.ts'
import { bool, filter, string } from '../flags.ts'
import { chooseFormat, formatList } from '../format/list.ts'
import { networkHeaders, networkTable, networkView, rawNetwork } from '../format/views/network.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'List networks',
  min: 0,
  max: 0,
  flags: {
    filter: filter(),
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    'no-trunc': bool('Show values in full'),
    quiet: bool('Only ids', { short: 'q' }),
  },
  async run({ flags, changed }, context) {
    const networks = await context.client.networks.list(flags.filter)
    const configured = changed.has('format') || flags.quiet ? undefined : context.config.file.networksFormat
    const format = chooseFormat(flags.format, configured, flags.quiet ? '{{.ID}}' : networkTable, rawNetwork)
    const sorted = networks.toSorted((a, b) => ((a.Name ?? '') < (b.Name ?? '') ? -1 : 1))
    const options = { trunc: !flags['no-trunc'] }
    context.out(
      formatList(
        format,
        networkHeaders,
        sorted.map((each) => networkView(each, options)),
      ),
    )
  },
})
