import type { ImageHistoryResponseItem, ImageManifestSummary, ImageSummary } from '#api/generated/types.ts'
import { shortId } from '#base/ids.ts'
import { formatPlatform } from '#oci/platform.ts'
import type { Paint } from './colors.ts'
import { ellipsis, humanSize } from './units.ts'

/** A line of the tree: an image, another name of it, what it has for a platform, or a layer of that. */
interface Row {
  readonly label: string
  readonly cells: readonly [id: string, usage: string, content: string, extra: string]
  readonly kind: 'image' | 'name' | 'platform' | 'missing' | 'layer'
}

interface Options {
  readonly trunc: boolean
  readonly paint: Paint
  /** How what is there for a platform was made, newest first; its layers are lines of the tree. */
  readonly histories?: ReadonlyMap<ImageManifestSummary, readonly ImageHistoryResponseItem[]> | undefined
}

const TITLES: Row = {
  label: 'IMAGE',
  cells: ['ID', 'DISK USAGE', 'CONTENT SIZE', 'EXTRA'],
  kind: 'image',
}
const GAP = 3
const LAYER_WIDTH = 45
const NO_CELLS = ['', '', '', ''] as const

/**
 * Images with their platforms below them, and below these the images that were made from them here, so that a chain of
 * commits is a branch of the tree. Needs `Manifests`.
 */
export function imageTree(images: readonly ImageSummary[], options: Options): string {
  const childrenOf = byParent(images)
  const seen = new Set<ImageSummary>()

  function rowsOf(image: ImageSummary, lead: string, branch: string, under: string): Row[] {
    if (seen.has(image)) return []
    seen.add(image)
    const children = (childrenOf.get(image.Id ?? '') ?? []).filter((child) => !seen.has(child))
    const platforms = (image.Manifests ?? []).filter(({ Kind }) => Kind === undefined || Kind === 'image')
    const below = [...platforms, ...children]
    const nested = below.flatMap((each, i) => {
      const last = i === below.length - 1
      const [twig, next] = last ? ['└─ ', '   '] : ['├─ ', '│  ']
      return i < platforms.length
        ? platformRows(each as ImageManifestSummary, lead + under, twig, next, options)
        : rowsOf(each as ImageSummary, lead + under, twig, next)
    })
    const [first, ...others] = imageRows(image, lead + branch, options)
    const aliases = others.map((row) => ({ ...row, label: lead + under + row.label }))
    return first === undefined ? nested : [first, ...aliases, ...nested]
  }

  const ids = new Set(images.map(({ Id }) => Id))
  const roots = images.filter(({ ParentId }) => ParentId === undefined || !ids.has(ParentId))
  // Whatever is its own ancestor is not below a root.
  const rows = [...roots, ...images].flatMap((image) => rowsOf(image, '', '', ''))
  return table([TITLES, ...rows], options.paint)
}

function byParent(images: readonly ImageSummary[]): Map<string, ImageSummary[]> {
  const children = Map.groupBy(images, ({ ParentId }) => ParentId ?? '')
  children.delete('')
  return children
}

/** The image under its first name, and a line for each other name. */
function imageRows(image: ImageSummary, label: string, { trunc }: Options): Row[] {
  const names = (image.RepoTags ?? []).filter((name) => name !== '<none>:<none>')
  const [name = '<untagged>', ...others] = names
  const manifests = image.Manifests ?? []
  const content = manifests.reduce((sum, { Size }) => sum + (Size?.Content ?? 0), 0)
  // `Size` may be that of one platform.
  const usage = manifests.reduce((sum, { Size }) => sum + (Size?.Total ?? 0), 0) || (image.Size ?? 0)
  const used = (image.Containers ?? 0) > 0 || manifests.some(isUsed)
  const id = image.Id ?? ''
  return [
    {
      label: label + name,
      cells: [
        trunc ? shortId(id) : id,
        humanSize(usage, 3),
        manifests.length === 0 ? 'N/A' : humanSize(content, 3),
        used ? 'in use' : '',
      ],
      kind: 'image',
    },
    ...others.map((each): Row => ({ label: each, cells: NO_CELLS, kind: 'name' })),
  ]
}

/** A platform, and below it the layers that have a size, as they lie on each other: the lowest first. */
function platformRows(
  manifest: ImageManifestSummary,
  lead: string,
  branch: string,
  under: string,
  options: Options,
): Row[] {
  const history = options.histories?.get(manifest) ?? []
  const layers = history.filter(({ Size }) => (Size ?? 0) > 0).toReversed()
  return [
    platformRow(manifest, lead + branch, options),
    ...layers.map((layer, i): Row => {
      const twig = i === layers.length - 1 ? '└─ ' : '├─ '
      const by = (layer.CreatedBy || layer.Comment || 'layer').replaceAll(/\s+/g, ' ')
      const label = lead + under + twig + (options.trunc ? ellipsis(by, LAYER_WIDTH) : by)
      return { label, cells: ['', humanSize(layer.Size ?? 0, 3), '', ''], kind: 'layer' }
    }),
  ]
}

function platformRow(manifest: ImageManifestSummary, lead: string, { trunc }: Options): Row {
  const { Available, ImageData, Descriptor, Size } = manifest
  const platform = ImageData?.Platform ?? Descriptor?.platform
  const { os, architecture, variant } = platform ?? {}
  const name = formatPlatform({
    os: os ?? 'unknown',
    architecture: architecture ?? 'unknown',
    variant: variant ?? undefined,
  })
  const missing = Available === false
  const id = manifest.ID ?? Descriptor?.digest ?? ''
  return {
    label: lead + name,
    cells: [
      trunc ? shortId(id) : id,
      humanSize(Size?.Total ?? 0, 3),
      humanSize(Size?.Content ?? 0, 3),
      missing ? 'not here' : isUsed(manifest) ? 'in use' : '',
    ],
    kind: missing ? 'missing' : 'platform',
  }
}

function isUsed({ ImageData }: ImageManifestSummary): boolean {
  return (ImageData?.Containers ?? []).length > 0
}

/** Sizes stand right-aligned; the last column is open. */
function table(rows: readonly Row[], paint: Paint): string {
  const [titles] = rows
  const labelWidth = Math.max(...rows.map(({ label }) => label.length))
  const widths = [0, 1, 2].map((i) => Math.max(...rows.map(({ cells }) => cells[i]?.length ?? 0)))
  const gap = ' '.repeat(GAP)
  return rows
    .map((row) => {
      const [id, usage, content, extra] = row.cells
      const [idWidth = 0, usageWidth = 0, contentWidth = 0] = widths
      const sizes = `${usage.padStart(usageWidth)}${gap}${content.padStart(contentWidth)}`
      const text = `${row.label.padEnd(labelWidth)}${gap}${id.padEnd(idWidth)}${gap}${sizes}${gap}`
      return `${painted(row, text, extra, row === titles, paint)}\n`
    })
    .join('')
}

function painted(row: Row, text: string, extra: string, isTitle: boolean, paint: Paint): string {
  const full = (text + extra).trimEnd()
  if (isTitle) return paint('bold', full)
  if (row.kind === 'missing') return paint('gray', full)
  const mark = extra === '' ? '' : paint('green', extra)
  const line = extra === '' ? full : text
  if (row.kind !== 'image') return line + mark
  return paint('bold', line.slice(0, row.label.length)) + line.slice(row.label.length) + mark
}
