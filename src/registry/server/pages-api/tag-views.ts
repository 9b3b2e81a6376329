import type { Digest } from '#base/digest.ts'
import type { TagRow } from '../storage/tag-rows.ts'
import type { PageDeps } from './deps.ts'
import { platformsOf, type PlatformView } from './platforms.ts'
import { choiceOf, mapPage, type PageOf, pageOf, timeOf } from './query.ts'
import { byVersion, naturally } from './tag-order.ts'

export interface TagView {
  readonly name: string
  readonly digest: Digest
  readonly media_type: string
  /** Bytes of all platforms, as they are transferred. */
  readonly size: number
  readonly platforms: readonly PlatformView[]
  /** Other tags of the same digest. */
  readonly aliases: readonly string[]
  readonly pushed: string | null
  readonly pulled: string | null
  readonly pulls: number
}

const orders = ['semver', 'natural', 'pushed', 'pulled', 'pulls'] as const

/** Tags of a repository: `q` is a part of the name, `sort` one of the orders, newest first; `order=asc|desc` turns it. */
export async function tagPage(
  deps: PageDeps,
  repository: string,
  query: URLSearchParams,
): Promise<PageOf<TagView>> {
  const all = allTags(deps, repository)
  const names = Map.groupBy(all, ({ manifest }) => manifest)
  const part = query.get('q') ?? ''
  const found = all.filter(({ tag }) => tag.includes(part)).toSorted(orderOf(query))
  const page = pageOf(found, query)
  const views = new Map<string, TagView>()
  for (const tag of page.results) {
    const aliases = names.get(tag.manifest)?.map((other) => other.tag) ?? []
    views.set(tag.tag, await viewOf(deps, tag, aliases))
  }
  return mapPage(page, ({ tag }) => views.get(tag) as TagView)
}

function allTags({ catalogue }: PageDeps, repository: string): readonly TagRow[] {
  const all: TagRow[] = []
  for (let last: string | undefined; ;) {
    const page = catalogue.tags.list(repository, { last, limit: 1000 })
    all.push(...page)
    last = page.at(-1)?.tag
    if (page.length < 1000) return all
  }
}

function orderOf(query: URLSearchParams): (a: TagRow, b: TagRow) => number {
  const compare = orderings[choiceOf(query, 'sort', orders)]
  return choiceOf(query, 'order', ['desc', 'asc']) === 'desc' ? compare : (a, b) => compare(b, a)
}

const orderings: Readonly<Record<(typeof orders)[number], (a: TagRow, b: TagRow) => number>> = {
  semver: (a, b) => byVersion(a.tag, b.tag),
  natural: (a, b) => naturally(a.tag, b.tag),
  pushed: (a, b) => b.pushed - a.pushed || byVersion(a.tag, b.tag),
  pulled: (a, b) => (b.pulled ?? 0) - (a.pulled ?? 0) || byVersion(a.tag, b.tag),
  pulls: (a, b) => b.pulls - a.pulls || byVersion(a.tag, b.tag),
}

async function viewOf(deps: PageDeps, row: TagRow, names: readonly string[]): Promise<TagView> {
  const manifest = deps.catalogue.manifests.get(row.repository, row.manifest)
  const platforms = manifest === undefined ? [] : await platformsOf(deps, manifest)
  const ofPlatforms = platforms.reduce((sum, { size }) => sum + (size ?? 0), 0)
  return {
    name: row.tag,
    digest: row.manifest,
    media_type: manifest?.mediaType ?? '',
    size: ofPlatforms > 0 ? ofPlatforms : (manifest?.contentSize ?? 0),
    platforms,
    aliases: names.filter((name) => name !== row.tag),
    pushed: timeOf(row.pushed),
    pulled: timeOf(row.pulled),
    pulls: row.pulls,
  }
}
