import type { ContainerConfig } from '#api/generated/types.ts'
import type { ContainerFiles, PathStat } from '#engine/services.ts'
import { bytes, empty, json } from '../reply.ts'
import { route, type Route } from '../route.ts'

const TAR = 'application/x-tar'

export function containerFileRoutes(files: ContainerFiles): readonly Route[] {
  return [
    route({
      operation: 'ContainerArchiveInfo',
      method: 'HEAD',
      path: '/containers/{id}/archive',
      handle: async ({ params, query }) =>
        empty(200, statHeader(await files.stat(params.id, query.required('path')))),
    }),
    route({
      operation: 'ContainerArchive',
      method: 'GET',
      path: '/containers/{id}/archive',
      async handle({ params, query, signal }) {
        const { stat, tar } = await files.get(params.id, query.required('path'), { signal })
        return bytes(TAR, tar, statHeader(stat))
      },
    }),
    route({
      operation: 'PutContainerArchive',
      method: 'PUT',
      path: '/containers/{id}/archive',
      async handle({ params, query, body, signal }) {
        await files.put(params.id, query.required('path'), body, {
          noOverwriteDirNonDir: query.flag('noOverwriteDirNonDir'),
          copyUIDGID: query.flag('copyUIDGID'),
          signal,
        })
        return empty(200)
      },
    }),
    route({
      operation: 'ContainerExport',
      method: 'GET',
      path: '/containers/{id}/export',
      handle: async ({ params, signal }) =>
        bytes('application/octet-stream', await files.export(params.id, { signal })),
    }),
    commitRoute(files),
  ]
}

function commitRoute(files: ContainerFiles): Route {
  return route({
    operation: 'ImageCommit',
    method: 'POST',
    path: '/commit',
    async handle(request) {
      const { query, signal } = request
      const config = await request.document<ContainerConfig>('ImageCommit')
      const committed = await files.commit({
        container: query.required('container'),
        repo: query.text('repo'),
        tag: query.text('tag'),
        comment: query.text('comment') ?? '',
        author: query.text('author') ?? '',
        pause: query.flag('pause', true),
        changes: query.list('changes').flatMap((lines) => lines.split('\n')),
        config: Object.keys(config).length === 0 ? undefined : config,
        signal,
      })
      return json(committed, 201)
    },
  })
}

function statHeader({ name, size, mode, mtime, linkTarget }: PathStat): Record<string, string> {
  const stat = JSON.stringify({ name, size, mode, mtime, linkTarget })
  return { 'Content-Type': TAR, 'X-Docker-Container-Path-Stat': Buffer.from(stat).toString('base64') }
}
