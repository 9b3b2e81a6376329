import { EngineError } from '#base/errors.ts'
import { nameUnknown } from '../content/errors.ts'
import { empty, json, type Reply } from '../http/reply.ts'
import { route, type RegistryRequest, type Route } from '../http/route.ts'
import { repository } from '../routes/resources.ts'
import { documentOf, refuseStrangers } from './body.ts'
import type { PageDeps } from './deps.ts'
import type { PageRow } from './page-rows.ts'
import { choiceOf, invalid, mapPage, pageOf, timeOf } from './query.ts'
import { naturally } from './tag-order.ts'

const ONE = '/api/v1/repositories/{name}'

/** Repositories: lists, descriptions, stars. A segment `-`, which no name has, ends the name. */
export function repositoryRoutes(deps: PageDeps): readonly Route[] {
  return [
    route({
      operation: 'RepositoryList',
      method: 'GET',
      path: '/api/v1/repositories',
      resource: () => ({ kind: 'catalog' }),
      handle: (request) => list(deps, request),
    }),
    route({
      operation: 'RepositoryStar',
      method: 'PUT',
      path: `${ONE}/-/star`,
      resource: repository('pull'),
      handle: (request) => star(deps, request),
    }),
    route({
      operation: 'RepositoryUnstar',
      method: 'DELETE',
      path: `${ONE}/-/star`,
      resource: repository('pull'),
      handle: (request) => unstar(deps, request),
    }),
    route({
      operation: 'RepositoryOfficial',
      method: 'PUT',
      path: `${ONE}/-/official`,
      resource: () => ({ kind: 'admin' }),
      handle: (request) => setOfficial(deps, request, true),
    }),
    route({
      operation: 'RepositoryUnofficial',
      method: 'DELETE',
      path: `${ONE}/-/official`,
      resource: () => ({ kind: 'admin' }),
      handle: (request) => setOfficial(deps, request, false),
    }),
    route({
      operation: 'RepositoryUpdate',
      method: 'PATCH',
      path: ONE,
      resource: repository('push'),
      handle: (request) => update(deps, request),
    }),
  ]
}

/** Last of all, because its path fits those of the others. */
export function repositoryRoute(deps: PageDeps): Route {
  return route({
    operation: 'RepositoryInspect',
    method: 'GET',
    path: ONE,
    resource: repository('pull'),
    handle: ({ params, caller }) => json(inspect(deps, params.name, caller.name)),
  })
}

type Named = RegistryRequest<'name'>

const orders = ['name', 'pushed', 'pulled', 'pulls', 'stars'] as const

const orderings: Readonly<Record<(typeof orders)[number], (a: PageRow, b: PageRow) => number>> = {
  name: (a, b) => naturally(a.name, b.name),
  pushed: (a, b) => b.pushed - a.pushed,
  pulled: (a, b) => (b.pulled ?? 0) - (a.pulled ?? 0),
  pulls: (a, b) => b.pulls - a.pulls,
  stars: (a, b) => b.stars - a.stars,
}

function list({ pages, access }: PageDeps, { query, caller }: RegistryRequest): Reply {
  const part = (query.get('q') ?? '').toLowerCase()
  const compare = orderings[choiceOf(query, 'sort', orders)]
  const turned = query.get('order') === 'desc' ? -1 : 1
  const found = pages
    .list()
    .filter(({ name, description }) => name.includes(part) || description.toLowerCase().includes(part))
    .filter(({ name }) => access.mayPull(caller, name))
    .toSorted((a, b) => turned * compare(a, b) || naturally(a.name, b.name))
  return json(mapPage(pageOf(found, query), (row) => view(pages.size(row.name), row)))
}

function inspect({ pages }: PageDeps, name: string, account: string): object {
  const row = pages.get(name)
  if (row === undefined) throw nameUnknown(name)
  return { ...view(pages.size(name), row), readme: row.readme, starred: pages.isStarred(name, account) }
}

function view(size: number, row: PageRow): object {
  return {
    name: row.name,
    description: row.description,
    official: row.official === 1,
    stars: row.stars,
    tags: row.tags,
    size,
    pulls: row.pulls,
    created: timeOf(row.created),
    pushed: timeOf(row.pushed),
    pulled: timeOf(row.pulled),
  }
}

const MAX_DESCRIPTION = 1000
const MAX_README = 512 * 1024

async function update(deps: PageDeps, request: Named): Promise<Reply> {
  const { pages } = deps
  const { name } = request.params
  const { description, readme, ...others } = await documentOf(request)
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw invalid(`${unknown} cannot be changed here`)
  known(pages.get(name), name)
  pages.describe(name, {
    ...(description === undefined
      ? {}
      : { description: textOf(description, 'description', MAX_DESCRIPTION) }),
    ...(readme === undefined ? {} : { readme: textOf(readme, 'readme', MAX_README) }),
  })
  return changed(deps)
}

async function star(deps: PageDeps, request: Named): Promise<Reply> {
  refuseStrangers(request)
  const { pages, clock } = deps
  const { name } = request.params
  known(pages.get(name), name)
  pages.star(name, accountOf(request), clock.now().getTime())
  return changed(deps)
}

async function unstar(deps: PageDeps, request: Named): Promise<Reply> {
  refuseStrangers(request)
  deps.pages.unstar(request.params.name, accountOf(request))
  return changed(deps)
}

async function setOfficial(deps: PageDeps, request: Named, official: boolean): Promise<Reply> {
  refuseStrangers(request)
  const { pages } = deps
  const { name } = request.params
  known(pages.get(name), name)
  pages.setOfficial(name, official)
  return changed(deps)
}

/** Who is told that it is done can rely on it. */
async function changed({ catalogue }: PageDeps): Promise<Reply> {
  await catalogue.durable()
  return empty(204)
}

function accountOf({ caller }: RegistryRequest): string {
  if (caller.name !== 'anonymous') return caller.name
  throw new EngineError('permission_denied', 'log in first: stars belong to accounts', {
    code: 'ACCOUNT_NEEDED',
  })
}

function known(row: PageRow | undefined, name: string): void {
  if (row === undefined) throw nameUnknown(name)
}

function textOf(value: unknown, key: string, limit: number): string {
  if (typeof value === 'string' && value.length <= limit) return value
  throw invalid(`${key} must be a string of at most ${limit} characters`)
}
