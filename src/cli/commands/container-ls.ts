import { command } from '../command.ts'
import { bool, filter, integer, string } from '../flags.ts'
import { chooseFormat, formatList } from '../format/list.ts'
import { containerHeaders, containerTable, containerView, rawContainer } from '../format/views/container.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'List containers',
  min: 0,
  max: 0,
  flags: {
    all: bool('Stopped ones too', { short: 'a' }),
    filter: filter(),
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    last: integer('Only the last so many that were created, in any state', { short: 'n', shown: '-1' }),
    latest: bool('Only the one created last, in any state', { short: 'l' }),
    'no-trunc': bool('Show values in full'),
    quiet: bool('Only ids', { short: 'q' }),
    size: bool('Show sizes', { short: 's' }),
  },
  async run({ flags, changed }, context) {
    const { quiet, latest, last = -1 } = flags
    const trunc = !flags['no-trunc']
    const configured = changed.has('format') ? undefined : context.config.file.psFormat
    const table = quiet ? '{{.ID}}' : flags.size ? `${containerTable}\\t{{.Size}}` : containerTable
    if (quiet && flags.format !== '') {
      context.err('WARNING: Ignoring custom format, because both --format and --quiet are set.\n')
    }
    const format = quiet ? table : chooseFormat(flags.format, configured, table, rawContainer(flags.size))

    const containers = await context.client.containerQuery.list({
      all: flags.all,
      limit: latest ? 1 : last > 0 ? last : undefined,
      // Sizes cost the daemon a walk over files, so they are asked for only when they are shown.
      size: flags.size || /\.Size\b|\bjson \.(?![\p{L}_])/u.test(format),
      filters: flags.filter,
    })
    const options = { trunc, now: context.io.now() }
    context.out(
      formatList(
        format,
        containerHeaders,
        containers.map((each) => containerView(each, options)),
      ),
    )
  },
})
