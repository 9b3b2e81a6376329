import { command } from '../command.ts'
import { bool, string } from '../flags.ts'
import { chooseFormat, formatList } from '../format/list.ts'
import { historyHeaders, historyTable, historyTableRaw, historyView } from '../format/views/history.ts'
import { platformQuery } from '../platform.ts'
import { platformNames } from '../platform-names.ts'

export default command({
  usage: '[OPTIONS] IMAGE',
  summary: 'Show how an image was made, step by step',
  min: 1,
  max: 1,
  completes: 'images',
  flags: {
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    human: bool('Sizes and times for people', { short: 'H', initial: true }),
    'no-trunc': bool('Show values in full'),
    platform: string('Show this variant (os[/arch[/variant]])', { completes: platformNames }),
    quiet: bool('Only ids', { short: 'q' }),
  },
  async run({ args: [ref = ''], flags }, context) {
    const platform = platformQuery(flags.platform)
    const items = await context.client.images.history(ref, { platform })
    const table = flags.quiet ? '{{.ID}}' : flags.human ? historyTable : historyTableRaw
    const format = chooseFormat(flags.format, undefined, table)
    const options = { trunc: !flags['no-trunc'], human: flags.human, now: context.io.now() }
    context.out(
      formatList(
        format,
        historyHeaders,
        items.map((each) => historyView(each, options)),
      ),
    )
  },
})
