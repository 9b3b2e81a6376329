import { command } from '../command.ts'
import { bool, filter, string } from '../flags.ts'
import { chooseFormat, formatList } from '../format/list.ts'
import { rawVolume, volumeHeaders, volumeTable, volumeView } from '../format/views/volume.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'List volumes',
  min: 0,
  max: 0,
  flags: {
    cluster: bool('Only volumes of a cluster', { hidden: true }),
    filter: filter(),
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    quiet: bool('Only names', { short: 'q' }),
  },
  async run({ flags, changed }, context) {
    const { Volumes } = await context.client.volumes.list(flags.filter)
    const configured = changed.has('format') || flags.quiet ? undefined : context.config.file.volumesFormat
    const format = chooseFormat(flags.format, configured, flags.quiet ? '{{.Name}}' : volumeTable, rawVolume)
    // Volumes of a cluster are none of this engine's.
    const shown = flags.cluster ? [] : (Volumes ?? [])
    const sorted = shown.toSorted((a, b) => ((a.Name ?? '') < (b.Name ?? '') ? -1 : 1))
    context.out(formatList(format, volumeHeaders, sorted.map(volumeView)))
  },
})
