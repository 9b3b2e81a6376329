import { parseRegistryAuth, type RegistryAuth } from '#api/registry-auth.ts'
import type { AuthConfig } from '#api/generated/types.ts'
import { EngineError } from '#base/errors.ts'
import type { Engine } from '#engine/services.ts'
import { json, progress } from '../reply.ts'
import { route, type Route, type RouteRequest } from '../route.ts'
import { plainPlatform } from './platform.ts'

/** `POST /auth`. */
export function authRoutes({ registries }: Pick<Engine, 'registries'>): readonly Route[] {
  return [
    route({
      operation: 'SystemAuth',
      method: 'POST',
      path: '/auth',
      async handle(request) {
        const config = await request.document<AuthConfig>('SystemAuth')
        return json(await registries.login(authOf(config), { signal: request.signal }))
      },
    }),
  ]
}

/** What images have to do with registries and with what came from there, except pulling. */
export function registryRoutes(engine: Pick<Engine, 'images' | 'pushes' | 'registries'>): readonly Route[] {
  return [pushRoute(engine), searchRoute(engine), attestationRoute(engine), inspectRoute(engine)]
}

function pushRoute({ pushes }: Pick<Engine, 'pushes'>): Route {
  return route({
    operation: 'ImagePush',
    method: 'POST',
    path: '/images/{name}/push',
    greedy: true,
    handle: ({ params, query, headers, signal }) =>
      progress(
        pushes.push(params.name, {
          tag: query.text('tag'),
          platform: plainPlatform(query.text('platform')),
          compression: query.text('compression'),
          auth: authIn(headers),
          signal,
        }),
      ),
  })
}

function searchRoute({ registries }: Pick<Engine, 'registries'>): Route {
  return route({
    operation: 'ImageSearch',
    method: 'GET',
    path: '/images/search',
    async handle({ query, headers, signal }) {
      const options = {
        limit: query.integer('limit'),
        filters: query.filters(),
        auth: authIn(headers),
        signal,
      }
      return json(await registries.search(query.required('term'), options))
    },
  })
}

function inspectRoute({ registries }: Pick<Engine, 'registries'>): Route {
  return route({
    operation: 'DistributionInspect',
    method: 'GET',
    path: '/distribution/{name}/json',
    greedy: true,
    handle: async ({ params, headers, signal }) =>
      json(await registries.inspect(params.name, { auth: authIn(headers), signal })),
  })
}

function attestationRoute({ images }: Pick<Engine, 'images'>): Route {
  return route({
    operation: 'ImageAttestations',
    method: 'GET',
    path: '/images/{name}/attestations',
    greedy: true,
    async handle({ params, query }) {
      const [platform, another] = query.list('platform')
      if (another !== undefined) throw onePlatform()
      const options = {
        platform: plainPlatform(platform || undefined),
        types: query.list('type'),
        statement: query.flag('statement'),
      }
      return json(await images.attestations(params.name, options))
    },
  })
}

function authIn(headers: RouteRequest['headers']): RegistryAuth | undefined {
  return parseRegistryAuth(headers['x-registry-auth']?.toString())
}

/** The body has the same fields as the header, with the same freedom about the case of their names. */
function authOf(config: AuthConfig): RegistryAuth {
  return parseRegistryAuth(Buffer.from(JSON.stringify(config)).toString('base64')) ?? {}
}

function onePlatform(): EngineError {
  return new EngineError('invalid_argument', 'multiple platforms are not supported', {
    code: 'PLATFORM_INVALID',
  })
}
