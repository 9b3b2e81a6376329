import type { ImageSummary } from '#api/generated/types.ts'
import { shortId } from '#base/ids.ts'
import type { Headers } from '../list.ts'
import { view, type View } from '../template/view.ts'
import { goTime, humanDuration, humanSize } from '../units.ts'

/** What `--format raw` shows. */
export function rawImage(digests: boolean): string[] {
  return [
    'repository=Repository',
    'tag=Tag',
    ...(digests ? ['digest=Digest'] : []),
    'image_id=ID',
    'created_at=CreatedAt',
    'virtual_size=Size',
  ]
}

export const imageTable = 'table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}'
export const imageTableWithDigests =
  'table {{.Repository}}\\t{{.Tag}}\\t{{.Digest}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}'

export const imageHeaders: Headers = {
  ID: 'IMAGE ID',
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  Containers: 'CONTAINERS',
  VirtualSize: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
}

/** One row of an image list: an image under one of its names. */
export interface ImageRow {
  readonly image: ImageSummary
  readonly repository: string
  readonly tag: string
  readonly digest: string
}

const NONE = '<none>'

/**
 * The rows of an image: one per tag. With `digests`, the digest of the tag's repository stands beside it, and digests
 * that no tag goes with have rows of their own.
 */
export function imageRows(image: ImageSummary, options: { readonly digests: boolean }): ImageRow[] {
  const tags = (image.RepoTags ?? []).filter((tag) => tag !== `${NONE}:${NONE}`)
  const digests = (image.RepoDigests ?? []).filter((digest) => digest !== `${NONE}@${NONE}`)
  const digestOf = new Map(digests.map((reference) => splitAt(reference, reference.indexOf('@'))))
  const rows = tags.map((reference): ImageRow => {
    const [repository, tag] = splitAt(reference, reference.lastIndexOf(':'))
    return {
      image,
      repository,
      tag,
      digest: (options.digests ? digestOf.get(repository) : undefined) ?? NONE,
    }
  })
  const tagged = new Set(rows.map(({ repository }) => repository))
  const untagged = [...digestOf].filter(([repository]) => !tagged.has(repository))
  if (tags.length === 0 || options.digests) {
    rows.push(...untagged.map(([repository, digest]): ImageRow => ({ image, repository, tag: NONE, digest })))
  }
  return rows.length > 0 ? rows : [{ image, repository: NONE, tag: NONE, digest: NONE }]
}

export function imageView(row: ImageRow, options: { readonly trunc: boolean; readonly now: number }): View {
  const { image, repository, tag, digest } = row
  const created = image.Created ?? 0
  const size = image.Size ?? 0
  const shared = image.SharedSize ?? -1
  return view('*formatter.imageContext', {
    ID: () => (options.trunc ? shortId(image.Id ?? '') : (image.Id ?? '')),
    Repository: () => repository,
    Tag: () => tag,
    Digest: () => digest,
    CreatedSince: () => (created <= 0 ? 'N/A' : `${humanDuration(options.now / 1000 - created)} ago`),
    CreatedAt: () => goTime(created * 1000),
    Size: () => humanSize(size, 3),
    Containers: () => ((image.Containers ?? -1) === -1 ? 'N/A' : String(image.Containers)),
    VirtualSize: () => humanSize(size),
    SharedSize: () => (shared === -1 ? 'N/A' : humanSize(shared)),
    UniqueSize: () => (shared === -1 ? 'N/A' : humanSize(size - shared)),
  })
}

function splitAt(text: string, at: number): [string, string] {
  return at < 0 ? [text, NONE] : [text.slice(0, at), text.slice(at + 1)]
}
