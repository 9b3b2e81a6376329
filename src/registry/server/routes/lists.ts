import { type Descriptor, mediaTypes } from '#oci/image-spec.ts'
import type { ContentDeps } from '../content/deps.ts'
import { nameUnknown } from '../content/errors.ts'
import { bytes, json, type Reply } from '../http/reply.ts'
import { route, type RegistryRequest, type Route } from '../http/route.ts'
import { parseDigest } from '../names.ts'
import type { ManifestRow } from '../storage/manifest-rows.ts'
import { MAX_PAGE, nextLink, pagingOf } from './paging.ts'
import { repository } from './resources.ts'

/** Bytes of descriptors per page of referrers: clients read no more of an index. */
const MAX_INDEX = 2 << 20

/** end-8, end-12 and the catalogue */
export function listRoutes(deps: ContentDeps): readonly Route[] {
  return [
    route({
      operation: 'TagsList',
      method: 'GET',
      path: '/v2/{name}/tags/list',
      resource: repository('pull'),
      handle: (request) => tags(deps, request),
    }),
    route({
      operation: 'Catalog',
      method: 'GET',
      path: '/v2/_catalog',
      resource: () => ({ kind: 'catalog' }),
      handle: (request) => catalog(deps, request),
    }),
    route({
      operation: 'Referrers',
      method: 'GET',
      path: '/v2/{name}/referrers/{digest}',
      resource: repository('pull'),
      handle: (request) => referrers(deps, request),
    }),
  ]
}

async function tags(
  { catalogue, hooks }: ContentDeps,
  { params: { name }, query, signal }: RegistryRequest<'name'>,
): Promise<Reply> {
  const cached = await hooks.listTags?.(name, { signal })
  if (cached === undefined && catalogue.repositories.get(name) === undefined) throw nameUnknown(name)
  const { n, last } = pagingOf(query)
  // One more than is shown tells whether there is another page.
  const page = { last, limit: n + 1 }
  const stored = (): readonly string[] => catalogue.tags.list(name, page).map(({ tag }) => tag)
  const found = n === 0 ? [] : cached === undefined ? stored() : pageOfTags(cached, page)
  const shown = found.slice(0, n)
  const link = nextLink(`/v2/${name}/tags/list`, found.length > n, { n, last: shown.at(-1) })
  return json({ name, tags: shown }, link)
}

/** In the order of the catalogue: lexical, whatever the case. */
function pageOfTags(
  all: readonly string[],
  { last, limit }: { readonly last: string | undefined; readonly limit: number },
): readonly string[] {
  const after = last === undefined ? all : all.filter((tag) => compareTags(tag, last) > 0)
  return after.toSorted(compareTags).slice(0, limit)
}

function compareTags(a: string, b: string): number {
  const [left, right] = [a.toLowerCase(), b.toLowerCase()]
  if (left !== right) return left < right ? -1 : 1
  return a === b ? 0 : a < b ? -1 : 1
}

function catalog({ catalogue, access }: ContentDeps, { caller, query }: RegistryRequest): Reply {
  const { n, last } = pagingOf(query)
  const shown: string[] = []
  let at = last
  let more = n > 0
  while (more && shown.length <= n) {
    const names = catalogue.repositories.names({ last: at, limit: MAX_PAGE })
    shown.push(...names.filter((name) => access.mayPull(caller, name)))
    at = names.at(-1)
    more = names.length === MAX_PAGE
  }
  const repositories = shown.slice(0, n)
  const link = nextLink('/v2/_catalog', shown.length > n && n > 0, { n, last: repositories.at(-1) })
  return json({ repositories }, link)
}

/** Always an index: nothing refers to what is not there. */
async function referrers(
  { catalogue, hooks }: ContentDeps,
  { params, query, signal }: RegistryRequest<'name' | 'digest'>,
): Promise<Reply> {
  const subject = parseDigest(params.digest)
  const cached = await hooks.listReferrers?.(params.name, subject, { signal })
  const { n, last } = pagingOf(query)
  const artifactType = query.get('artifactType') || undefined
  const all =
    cached === undefined
      ? catalogue.manifests.referrers(params.name, subject, { last, artifactType }).map(descriptorOf)
      : pageOfReferrers(cached, last, artifactType)
  const { shown, more } = fitting(all, n)
  const path = `/v2/${params.name}/referrers/${subject}`
  const link = nextLink(path, more, { n, last: shown.at(-1)?.digest, artifactType })
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: shown }
  return bytes(mediaTypes.ociIndex, Buffer.from(JSON.stringify(index)), {
    ...link,
    ...(artifactType === undefined ? {} : { 'OCI-Filters-Applied': 'artifactType' }),
  })
}

/** As in the catalogue: by digest, those after `last`. */
function pageOfReferrers(
  all: readonly Descriptor[],
  last: string | undefined,
  artifactType: string | undefined,
): readonly Descriptor[] {
  return all
    .filter(({ digest }) => last === undefined || digest > last)
    .filter(({ artifactType: type }) => artifactType === undefined || type === artifactType)
    .toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
}

function descriptorOf({ mediaType, digest, size, artifactType, annotations }: ManifestRow): Descriptor {
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  }
}

/** The first ones, `limit` at the most, as many as fit into a page, and at least one. */
function fitting(
  all: Iterable<Descriptor>,
  limit: number,
): { readonly shown: readonly Descriptor[]; readonly more: boolean } {
  const shown: Descriptor[] = []
  if (limit === 0) return { shown, more: false }
  let room = MAX_INDEX
  for (const descriptor of all) {
    room -= JSON.stringify(descriptor).length
    if (shown.length === limit || (room < 0 && shown.length > 0)) return { shown, more: true }
    shown.push(descriptor)
  }
  return { shown, more: false }
}
