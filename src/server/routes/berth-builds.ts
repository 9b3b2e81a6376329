import { stat } from 'node:fs/promises'
import { EngineError, isErrno } from '#base/errors.ts'
import type { BuildService, BuildSessions } from '#engine/builds/service.ts'
import { bytes, empty, json } from '../reply.ts'
import { route, type Route } from '../route.ts'

/** Builds beyond Docker's API: what a client gives before its build, what it fetches afterwards, and why. */
export function berthBuildRoutes(builds: BuildService): readonly Route[] {
  return [
    ...sessionRoutes(() => builds.sessions),
    route({
      operation: 'BerthBuildArtifact',
      method: 'GET',
      path: '/berth/builds/{id}/artifacts/{index}',
      async handle({ params }) {
        const index = Number(params.index)
        if (!/^\d{1,6}$/.test(params.index)) throw badIndex(params.index)
        return bytes('application/x-tar', await builds.artifact(params.id, index))
      },
    }),
    route({
      operation: 'BerthBuildSees',
      method: 'GET',
      path: '/berth/builds/sees',
      async handle({ query }) {
        const seen = await identityOf(query.required('path'))
        return json({ sees: seen === query.required('identity') })
      },
    }),
    route({
      operation: 'BerthBuildWhy',
      method: 'GET',
      path: '/berth/builds/why',
      handle: async ({ query }) => json(await builds.why(query.text('id'))),
    }),
  ]
}

function sessionRoutes(sessions: () => BuildSessions): readonly Route[] {
  return [
    route({
      operation: 'BerthBuildSession',
      method: 'POST',
      path: '/berth/builds/sessions',
      handle: () => json(sessions().begin(), 201),
    }),
    route({
      operation: 'BerthBuildSessionDelete',
      method: 'DELETE',
      path: '/berth/builds/sessions/{session}',
      async handle({ params }) {
        await sessions().drop(params.session)
        return empty(204)
      },
    }),
    route({
      operation: 'BerthBuildSecret',
      method: 'PUT',
      path: '/berth/builds/sessions/{session}/secrets/{id}',
      async handle({ params, body }) {
        sessions().putSecret(params.session, params.id, await secretIn(body))
        return empty(204)
      },
    }),
    route({
      operation: 'BerthBuildAgent',
      method: 'PUT',
      path: '/berth/builds/sessions/{session}/agents/{id}',
      handle({ params, query }) {
        sessions().putAgent(params.session, params.id, query.required('path'))
        return empty(204)
      },
    }),
    route({
      operation: 'BerthBuildContext',
      method: 'PUT',
      path: '/berth/builds/sessions/{session}/contexts/{name}',
      handle: async ({ params, body }) =>
        json(await sessions().putContext(params.session, params.name, body)),
    }),
    route({
      operation: 'BerthBuildContextFiles',
      method: 'PUT',
      path: '/berth/builds/sessions/{session}/contexts/{name}/files',
      async handle({ params, body }) {
        await sessions().putFiles(params.session, params.name, body)
        return empty(204)
      },
    }),
  ]
}

/** Device and inode: a client whose files we do not see, in a container or behind a forwarded socket, has other ones. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true })
    return `${dev}:${ino}`
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENAMETOOLONG')) return undefined
    throw error
  }
}

/** Bytes of a secret, as BuildKit has it. */
const MAX_SECRET = 500 * 1024

async function secretIn(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > MAX_SECRET) {
      throw new EngineError('invalid_argument', `secret is larger than ${MAX_SECRET} bytes`, {
        code: 'BUILD_SECRET_TOO_LARGE',
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function badIndex(index: string): EngineError {
  return new EngineError('invalid_argument', `invalid index ${JSON.stringify(index)}: want a number`, {
    code: 'PARAMETER_INVALID',
  })
}
