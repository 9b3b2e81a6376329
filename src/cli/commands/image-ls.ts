import { command } from '../command.ts'
import { bool, filter, string } from '../flags.ts'
import { chooseFormat, formatList } from '../format/list.ts'
import {
  imageHeaders,
  imageRows,
  imageTable,
  imageTableWithDigests,
  imageView,
} from '../format/views/image.ts'

export default command({
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  summary: 'List images',
  min: 0,
  max: 1,
  completes: 'images',
  flags: {
    all: bool('Intermediate and untagged ones too', { short: 'a' }),
    digests: bool('Show digests'),
    filter: filter(),
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    'no-trunc': bool('Show values in full'),
    quiet: bool('Only ids', { short: 'q' }),
  },
  async run({ args: [repository], flags, changed }, context) {
    const filters = repository === undefined ? flags.filter : { ...flags.filter, reference: [repository] }
    const images = await context.client.images.list({ all: flags.all, filters })
    const table = flags.quiet ? '{{.ID}}' : flags.digests ? imageTableWithDigests : imageTable
    const configured = changed.has('format') || flags.quiet ? undefined : context.config.file.imagesFormat
    const format = chooseFormat(flags.format, configured, table)

    const digests = flags.digests || format.includes('.Digest')
    const options = { trunc: !flags['no-trunc'], now: context.io.now() }
    const newestFirst = images.toSorted((a, b) => (b.Created ?? 0) - (a.Created ?? 0))
    const rows = newestFirst.flatMap((image) => imageRows(image, { digests }))
    context.out(
      formatList(
        format,
        imageHeaders,
        rows.map((row) => imageView(row, options)),
      ),
    )
  },
})
