import { parseRegistryAuth } from '#api/registry-auth.ts'
import { EngineError } from '#base/errors.ts'
import type { Engine, ImageService, PullService } from '#engine/services.ts'
import { bytes, empty, json, progress, type Reply } from '../reply.ts'
import { route, type Route, type RouteRequest } from '../route.ts'
import { plainPlatform, plainPlatforms } from './platform.ts'

const TAR = 'application/x-tar'
const listFilters = ['before', 'since', 'dangling', 'label', 'label!', 'reference', 'until']
/** Keys of `/images/prune`. */
export const pruneFilters = ['dangling', 'label', 'label!', 'until']

export function imageRoutes({ images, pulls }: Pick<Engine, 'images' | 'pulls'>): readonly Route[] {
  return [...queryRoutes(images), ...changeRoutes(images), ...transferRoutes(images, pulls)]
}

function queryRoutes(images: ImageService): readonly Route[] {
  return [
    route({
      operation: 'ImageList',
      method: 'GET',
      path: '/images/json',
      async handle({ query }) {
        const listed = await images.list({
          all: query.flag('all'),
          filters: query.filters(listFilters),
          sharedSize: query.flag('shared-size'),
          digests: query.flag('digests'),
          manifests: query.flag('manifests'),
        })
        return json(listed)
      },
    }),
    route({
      operation: 'ImageInspect',
      method: 'GET',
      path: '/images/{name}/json',
      greedy: true,
      async handle({ params, query }) {
        const platform = plainPlatform(query.text('platform'))
        const manifests = query.flag('manifests')
        if (platform !== undefined && manifests) throw exclusive('platform', 'manifests')
        return json(await images.inspect(params.name, { platform, manifests }))
      },
    }),
    route({
      operation: 'ImageHistory',
      method: 'GET',
      path: '/images/{name}/history',
      greedy: true,
      handle: async ({ params, query }) =>
        json(await images.history(params.name, plainPlatform(query.text('platform')))),
    }),
  ]
}

function changeRoutes(images: ImageService): readonly Route[] {
  return [
    route({
      operation: 'ImageTag',
      method: 'POST',
      path: '/images/{name}/tag',
      greedy: true,
      async handle({ params, query }) {
        await images.tag(params.name, query.required('repo'), query.text('tag'))
        return empty(201)
      },
    }),
    route({
      operation: 'ImageDelete',
      method: 'DELETE',
      path: '/images/{name}',
      greedy: true,
      async handle({ params, query }) {
        const options = {
          force: query.flag('force'),
          noprune: query.flag('noprune'),
          platforms: plainPlatforms(query.list('platforms')),
        }
        return json(await images.remove(params.name, options))
      },
    }),
    route({
      operation: 'ImagePrune',
      method: 'POST',
      path: '/images/prune',
      handle: async ({ query }) => json(await images.prune(query.filters(pruneFilters))),
    }),
  ]
}

function transferRoutes(images: ImageService, pulls: PullService): readonly Route[] {
  return [
    route({
      operation: 'ImageCreate',
      method: 'POST',
      path: '/images/create',
      handle: (request) => createImage(images, pulls, request),
    }),
    route({
      operation: 'ImageLoad',
      method: 'POST',
      path: '/images/load',
      handle: ({ query, body, signal }) =>
        progress(
          images.load(body, {
            quiet: query.flag('quiet', true),
            platforms: plainPlatforms(query.list('platform')),
            signal,
          }),
        ),
    }),
    route({
      operation: 'ImageGet',
      method: 'GET',
      path: '/images/{name}/get',
      greedy: true,
      async handle({ params, query, signal }) {
        const platforms = plainPlatforms(query.list('platform'))
        return bytes(TAR, await images.save([params.name], { platforms, signal }))
      },
    }),
    route({
      operation: 'ImageGetAll',
      method: 'GET',
      path: '/images/get',
      async handle({ query, signal }) {
        const names = query.list('names').flatMap((list) => list.split(','))
        if (names.length === 0) throw missingNames()
        const platforms = plainPlatforms(query.list('platform'))
        return bytes(TAR, await images.save(names, { platforms, signal }))
      },
    }),
  ]
}

function createImage(
  images: ImageService,
  pulls: PullService,
  { query, body, headers, signal }: RouteRequest,
): Reply {
  const fromImage = query.text('fromImage')
  if (fromImage === 'scratch') {
    throw new EngineError('permission_denied', "'scratch' is a reserved name", { code: 'REFERENCE_INVALID' })
  }
  if (fromImage !== undefined) {
    const auth = parseRegistryAuth(headers['x-registry-auth']?.toString())
    const options = { tag: query.text('tag'), platform: query.text('platform'), auth, signal }
    return progress(pulls.pull(fromImage, options))
  }
  const source = query.required('fromSrc')
  return progress(
    images.import(source === '-' ? body : source, {
      repo: query.text('repo'),
      tag: query.text('tag'),
      message: query.text('message') ?? '',
      changes: query.list('changes').flatMap((lines) => lines.split('\n')),
      platform: query.text('platform'),
      signal,
    }),
  )
}

function exclusive(first: string, second: string): EngineError {
  return new EngineError('invalid_argument', `conflicting options: ${first} and ${second}`, {
    code: 'PARAMETER_CONFLICT',
  })
}

function missingNames(): EngineError {
  return new EngineError('invalid_argument', 'missing parameter: names', { code: 'PARAMETER_MISSING' })
}
