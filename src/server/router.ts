import type { IncomingMessage, ServerResponse } from 'node:http'
import { fastify, type FastifyInstance, type FastifyRequest, type HTTPMethods } from 'fastify'
import { PathPattern, type Params } from './path-pattern.ts'
import type { Route } from './route.ts'

export interface Matched {
  readonly route: Route
  readonly params: Params
}

type Handler = (request: IncomingMessage, response: ServerResponse, matched: Matched | undefined) => void

interface Entry {
  readonly route: Route
  readonly pattern: PathPattern
}

/** Names longer than this match nothing; a request's head is limited as a whole. */
const MAX_NAME_LENGTH = 64 * 1024

/**
 * Finds the route of a request whose `url` is a canonical path, and hands both on. Fastify does the finding;
 * its body parsers and replies stay out, because Docker's rules for both are others: the handler runs in the
 * first hook. Routes with greedy parameters share a wildcard and are told apart by the rest of the path.
 */
export function createRouter(routes: readonly Route[], handler: Handler): FastifyInstance {
  const app = fastify({
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: MAX_NAME_LENGTH, ignoreDuplicateSlashes: false },
  })
  for (const [key, entries] of groups(routes)) {
    const [method, url] = key.split(' ', 2) as [HTTPMethods, string]
    app.route({
      method,
      url,
      onRequest: async (request, reply) => {
        reply.hijack()
        handler(request.raw, reply.raw, matchOf(entries, request))
      },
      handler: () => undefined,
    })
  }
  // As early as for a route: later a body would have been parsed, and refused in another shape.
  app.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return
    reply.hijack()
    handler(request.raw, reply.raw, undefined)
  })
  return app
}

/** Entries by method and Fastify's path, in which `:id` is a parameter and `*` the rest. */
function groups(routes: readonly Route[]): ReadonlyMap<string, readonly Entry[]> {
  const entries = routes.map((route) => ({
    route,
    pattern: new PathPattern(route.path, { greedy: route.greedy === true }),
  }))
  return Map.groupBy(entries, ({ route }) => `${route.method} ${fastifyPath(route)}`)
}

function fastifyPath({ path, greedy }: Route): string {
  return greedy === true ? path.replace(/\{.*$/, '*') : path.replace(/\{(\w+)\}/g, ':$1')
}

function matchOf(entries: readonly Entry[], request: FastifyRequest): Matched | undefined {
  const [path = ''] = (request.raw.url ?? '').split('?', 1)
  return firstMatch(entries, path)
}

/** The routes that may take a connection over, which never reach Fastify. */
export function takeOverMatcher(
  routes: readonly Route[],
): (method: string | undefined, path: string) => Matched | undefined {
  const entries = routes
    .filter((route) => route.takesOver === true)
    .map((route) => ({ route, pattern: new PathPattern(route.path, { greedy: false }) }))
  return (method, path) =>
    firstMatch(
      entries.filter(({ route }) => route.method === method),
      path,
    )
}

/** Of several the one with the longest fixed end wins: entries are tried in that order. */
function firstMatch(entries: readonly Entry[], path: string): Matched | undefined {
  for (const { route, pattern } of entries) {
    const params = pattern.match(path)
    if (params !== undefined) return { route, params }
  }
  return undefined
}
