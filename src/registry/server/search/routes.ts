import type { Database } from '#store/db.ts'
import type { AccessControl } from '../access.ts'
import { json } from '../http/reply.ts'
import { route, type RegistryRequest, type Route } from '../http/route.ts'
import { countOf } from '../pages-api/query.ts'
import { searchRepositories } from './search.ts'

const MAX_PAGE = 100
const DEFAULT_PAGE = 25

/** Docker's search, as `docker search HOST/TERM` asks for it. */
export function searchRoutes(deps: {
  readonly db: Database
  readonly access: AccessControl
}): readonly Route[] {
  return [
    // Docker asks this before it searches; any answer will do.
    route({
      operation: 'Ping',
      method: 'GET',
      path: '/v1/_ping',
      resource: 'open',
      handle: () => json({ standalone: true }, { 'X-Docker-Registry-Standalone': 'true' }),
    }),
    route({
      operation: 'Search',
      method: 'GET',
      path: '/v1/search',
      resource: () => ({ kind: 'catalog' }),
      handle: (request) => json(searchPage(deps, request)),
    }),
  ]
}

function searchPage(
  { db, access }: { readonly db: Database; readonly access: AccessControl },
  { query, caller }: RegistryRequest,
): object {
  const term = query.get('q') ?? ''
  const size = Math.min(Math.max(countOf(query, 'n') ?? DEFAULT_PAGE, 1), MAX_PAGE)
  const page = Math.max(countOf(query, 'page') ?? 1, 1)
  const found = searchRepositories(db, term).filter(({ name }) => access.mayPull(caller, name))
  return {
    num_results: found.length,
    query: term,
    page,
    page_size: size,
    num_pages: Math.ceil(found.length / size),
    results: found.slice((page - 1) * size, page * size).map(({ name, description, stars, official }) => ({
      name,
      description,
      star_count: stars,
      is_official: official,
      is_automated: false,
    })),
  }
}
