import type { DiskUsage } from '#client/system.ts'
import { command } from '../command.ts'
import { bool, string } from '../flags.ts'
import { formatList } from '../format/list.ts'
import { diskUsageHeaders, diskUsageTable, diskUsageViews } from '../format/views/disk-usage.ts'
import { containerHeaders, containerView } from '../format/views/container.ts'
import { imageHeaders, imageRows, imageView } from '../format/views/image.ts'
import { volumeHeaders, volumeView } from '../format/views/volume.ts'
import { commandError } from '../errors.ts'

const imagesTable =
  'table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}\\t{{.SharedSize}}\\t{{.UniqueSize}}\\t{{.Containers}}'
const containersTable =
  'table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.LocalVolumes}}\\t{{.Size}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Names}}'
const volumesTable = 'table {{.Name}}\\t{{.Links}}\\t{{.Size}}'

export default command({
  usage: '[OPTIONS]',
  summary: 'Show what takes disk space',
  min: 0,
  max: 0,
  flags: {
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    verbose: bool('Object by object', { short: 'v' }),
  },
  async run({ flags }, { client, io, out }) {
    const { format, verbose } = flags
    if (verbose && format !== '' && format !== 'json') {
      throw commandError('the format and the verbose options conflict; use one of them, or --format json')
    }
    const usage = await client.system.diskUsage()
    if (verbose && format === '') {
      out(details(usage, io.now()))
      return
    }
    const chosen = format === '' || format === 'table' ? diskUsageTable : format
    out(formatList(chosen, diskUsageHeaders, diskUsageViews(usage)))
  },
})

function details(usage: DiskUsage, now: number): string {
  const images = (usage.Images ?? []).flatMap((image) => imageRows(image, { digests: false }).slice(0, 1))
  const options = { trunc: true, now }
  return [
    'Images space usage:\n\n',
    formatList(
      imagesTable,
      imageHeaders,
      images.map((row) => imageView(row, options)),
    ),
    '\nContainers space usage:\n\n',
    formatList(
      containersTable,
      containerHeaders,
      (usage.Containers ?? []).map((each) => containerView({ ...each, SizeRootFs: 0 }, options)),
    ),
    '\nLocal Volumes space usage:\n\n',
    formatList(volumesTable, volumeHeaders, (usage.Volumes ?? []).map(volumeView)),
  ].join('')
}
