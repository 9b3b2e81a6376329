import { json, type Reply } from '../http/reply.ts'
import { route, type RegistryRequest, type Route } from '../http/route.ts'
import { checkTag } from '../names.ts'
import { repository } from '../routes/resources.ts'
import { documentOf, refuseStrangers } from './body.ts'
import type { PageDeps } from './deps.ts'
import { manifestView } from './manifest-view.ts'
import { flagOf, invalid } from './query.ts'
import { deleteTags, planTagDeletion, type TagDeletion } from './tag-deletion.ts'
import { tagPage } from './tag-views.ts'

const ONE = '/api/v1/repositories/{name}/-'
const MAX_TAGS = 1000

/** Tags and what they lead to. */
export function tagRoutes(deps: PageDeps): readonly Route[] {
  return [
    route({
      operation: 'TagList',
      method: 'GET',
      path: `${ONE}/tags`,
      resource: repository('pull'),
      handle: async ({ params, query }) => json(await tagPage(deps, params.name, query)),
    }),
    route({
      operation: 'TagDelete',
      method: 'DELETE',
      path: `${ONE}/tags/{tag}`,
      resource: repository('delete'),
      handle(request) {
        refuseStrangers(request)
        const { params, query } = request
        return remove(deps, request, params.name, [params.tag], flagOf(query, 'dry_run'))
      },
    }),
    route({
      operation: 'TagsDelete',
      method: 'POST',
      path: `${ONE}/delete-tags`,
      resource: repository('delete'),
      async handle(request) {
        const { tags, dry_run: dryRun } = await documentOf(request)
        return remove(deps, request, request.params.name, namesOf(tags), dryRun === true)
      },
    }),
    route({
      operation: 'ManifestInspect',
      method: 'GET',
      path: `${ONE}/manifests/{reference}`,
      resource: repository('pull'),
      handle: async ({ params }) => json(await manifestView(deps, params.name, params.reference)),
    }),
  ]
}

async function remove(
  { catalogue, events }: PageDeps,
  request: RegistryRequest,
  name: string,
  tags: readonly string[],
  dryRun: boolean,
): Promise<Reply> {
  for (const tag of tags) checkTag(tag)
  if (dryRun) return json(shown(planTagDeletion(catalogue, name, tags), true))
  const targets = tags.flatMap((tag) => {
    const digest = catalogue.tags.get(name, tag)?.manifest
    const row = digest === undefined ? undefined : catalogue.manifests.get(name, digest)
    return row === undefined ? [] : [{ tag, row }]
  })
  const deletion = deleteTags(catalogue, name, tags)
  await catalogue.durable()
  for (const { tag, row } of targets) {
    const { digest, mediaType, size } = row
    events.publish(request, { action: 'delete', repository: name, digest, tag, mediaType, size })
  }
  return json(shown(deletion, false))
}

function shown({ tags, manifests, bytes }: TagDeletion, dryRun: boolean): object {
  return { dry_run: dryRun, tags, manifests, bytes }
}

function namesOf(value: unknown): readonly string[] {
  const isList = Array.isArray(value) && value.every((tag) => typeof tag === 'string')
  if (!isList || value.length === 0 || value.length > MAX_TAGS) {
    throw invalid(`tags must be a list of at most ${MAX_TAGS} names`)
  }
  return [...new Set(value)]
}
