import type { ImageHistoryResponseItem, ImageManifestSummary, ImageSummary } from '#api/generated/types.ts'
import type { Filters } from '#client/filters.ts'
import { command, type Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { bool, filter, string } from '../flags.ts'
import { paintFor } from '../format/colors.ts'
import { imageTree } from '../format/image-tree.ts'
import { chooseFormat, formatList } from '../format/list.ts'
import {
  imageHeaders,
  imageRows,
  imageTable,
  imageTableWithDigests,
  imageView,
  rawImage,
} from '../format/views/image.ts'

const filterWords = ['before=', 'dangling=true', 'dangling=false', 'label=', 'reference=', 'since=', 'until=']

export default command({
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  summary: 'List images',
  min: 0,
  max: 1,
  completes: 'images',
  flags: {
    all: bool('Intermediate and untagged ones too', { short: 'a' }),
    digests: bool('Show digests'),
    filter: filter(undefined, filterWords),
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    'no-trunc': bool('Show values in full'),
    quiet: bool('Only ids', { short: 'q' }),
    tree: bool(
      'Platforms below their images, images below those they were made from; of REPOSITORY the layers, too',
    ),
  },
  async run({ args: [repository], flags, changed }, context) {
    const filters =
      repository === undefined
        ? flags.filter
        : { ...flags.filter, reference: [...(flags.filter['reference'] ?? []), repository] }
    const trunc = !flags['no-trunc']
    if (flags.tree) {
      for (const flag of ['quiet', 'format', 'digests'].filter((name) => changed.has(name))) {
        throw commandError(`conflicting options: --tree has lines of its own, use it without --${flag}`)
      }
      const query = { all: flags.all, filters }
      context.out(await tree(query, { trunc, layers: repository !== undefined }, context))
      return
    }
    const images = await context.client.images.list({ all: flags.all, filters })
    const table = flags.quiet ? '{{.ID}}' : flags.digests ? imageTableWithDigests : imageTable
    const configured = changed.has('format') || flags.quiet ? undefined : context.config.file.imagesFormat
    const format = chooseFormat(flags.format, configured, table, rawImage(flags.digests))

    const digests = flags.digests || format.includes('.Digest')
    const options = { trunc, now: context.io.now() }
    const rows = newestFirst(images).flatMap((image) => imageRows(image, { digests }))
    context.out(
      formatList(
        format,
        imageHeaders,
        rows.map((row) => imageView(row, options)),
      ),
    )
  },
})

async function tree(
  query: { readonly all: boolean; readonly filters: Filters },
  { trunc, layers }: { readonly trunc: boolean; readonly layers: boolean },
  { client, io }: Context,
): Promise<string> {
  const images = await client.images.list({ ...query, manifests: true })
  const histories = layers ? await historiesOf(images, client) : undefined
  return imageTree(newestFirst(images), { trunc, paint: paintFor(io), histories })
}

/** How everything was made that is there for a platform. */
async function historiesOf(
  images: readonly ImageSummary[],
  { images: client }: Context['client'],
): Promise<ReadonlyMap<ImageManifestSummary, readonly ImageHistoryResponseItem[]>> {
  const histories = images.flatMap(({ Id, Manifests }) =>
    (Manifests ?? []).map(async (manifest) => {
      const { os, architecture, variant } = manifest.ImageData?.Platform ?? {}
      if (manifest.Kind !== 'image' || manifest.Available !== true || !os || !architecture) return undefined
      const platform = { os, architecture, variant: variant ?? undefined }
      return [manifest, await client.history(Id ?? '', { platform })] as const
    }),
  )
  return new Map((await Promise.all(histories)).filter((each) => each !== undefined))
}

function newestFirst(images: readonly ImageSummary[]): ImageSummary[] {
  return images.toSorted((a, b) => (b.Created ?? 0) - (a.Created ?? 0))
}
