import type { DiskUsage } from '#client/system.ts'
import { command } from '../command.ts'
import { bool, string } from '../flags.ts'
import { accountText } from '../format/disk-account.ts'
import { chooseFormat, formatList, unescapeFormat } from '../format/list.ts'
import { toJson } from '../format/template/print.ts'
import { view, type View } from '../format/template/view.ts'
import { buildCacheHeaders, buildCacheTable, buildCacheView } from '../format/views/build-cache.ts'
import { diskUsageHeaders, diskUsageTable, diskUsageViews } from '../format/views/disk-usage.ts'
import { containerHeaders, containerView } from '../format/views/container.ts'
import { imageHeaders, imageRows, imageView } from '../format/views/image.ts'
import { volumeHeaders, volumeView } from '../format/views/volume.ts'
import { humanSize } from '../format/units.ts'
import { parseTemplate } from '../format/template/template.ts'

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
    const usage = await client.system.diskUsage()
    // Scripts that look for a row by its name find the one that Docker has.
    const isShown = verbose || io.stdout.isTTY === true
    const account = usage.Berth && isShown ? `\n${accountText(usage.Berth, { verbose })}` : ''
    if (verbose) {
      const views = detailViews(usage, { trunc: isTable(format), now: io.now() })
      if (isTable(format)) out(details(views, usage) + account)
      else out(`${format === 'json' ? json(views, usage) : templated(format, views)}\n`)
      return
    }
    // Whoever asks for a form of their own gets Docker's rows alone.
    if (format === '') out(formatList(diskUsageTable, diskUsageHeaders, diskUsageViews(usage)) + account)
    else {
      const chosen = chooseFormat(format, undefined, diskUsageTable)
      out(formatList(chosen, diskUsageHeaders, diskUsageViews(usage)))
    }
  },
})

function isTable(format: string): boolean {
  return format === '' || format === 'table'
}

/** One template over all kinds. */
function templated(format: string, { images, containers, volumes, buildCache }: Details): string {
  const fields = {
    Images: () => images,
    Containers: () => containers,
    Volumes: () => volumes,
    BuildCache: () => buildCache,
  }
  return parseTemplate(unescapeFormat(format)).execute(view('*formatter.diskUsageContext', fields))
}

interface Details {
  readonly images: readonly View[]
  readonly containers: readonly View[]
  readonly volumes: readonly View[]
  readonly buildCache: readonly View[]
}

function detailViews(usage: DiskUsage, options: { readonly trunc: boolean; readonly now: number }): Details {
  const images = (usage.Images ?? []).flatMap((image) => imageRows(image, { digests: false }).slice(0, 1))
  return {
    images: images.map((row) => imageView({ ...row, digest: '' }, options)),
    containers: (usage.Containers ?? []).map((each) => containerView({ ...each, SizeRootFs: 0 }, options)),
    volumes: (usage.Volumes ?? []).map(volumeView),
    buildCache: (usage.BuildCache ?? []).map((each) => buildCacheView(each, options)),
  }
}

/** One object, in Docker's order; what is berth's alone stands last. */
function json({ images, containers, volumes, buildCache }: Details, { Berth }: DiskUsage): string {
  const fields = { Images: images, Containers: containers, Volumes: volumes, BuildCache: buildCache, Berth }
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  return `{${given.map(([key, value]) => `${JSON.stringify(key)}:${toJson(value)}`).join(',')}}`
}

function details({ images, containers, volumes, buildCache }: Details, usage: DiskUsage): string {
  const cached = (usage.BuildCache ?? []).reduce(
    (sum, { Size, Shared }) => sum + (Shared === true ? 0 : (Size ?? 0)),
    0,
  )
  return [
    'Images space usage:\n\n',
    formatList(imagesTable, imageHeaders, images),
    '\nContainers space usage:\n\n',
    formatList(containersTable, containerHeaders, containers),
    '\nLocal Volumes space usage:\n\n',
    formatList(volumesTable, volumeHeaders, volumes),
    `\nBuild cache usage: ${humanSize(cached)}\n\n`,
    formatList(buildCacheTable, buildCacheHeaders, buildCache),
  ].join('')
}
