/** Builds as the HTTP edge sees them: what happens depends on the target alone. */
import { EngineError } from '#base/errors.ts'
import type { Digest } from '#base/digest.ts'
import type { BuildMessage, BuildService } from '#engine/builds/service.ts'
import { chunks } from './chunks.ts'

export const fakeImageId: Digest = `sha256:${'5e'.repeat(32)}`

const from: Digest = `sha256:${'a1'.repeat(32)}`
const run: Digest = `sha256:${'b2'.repeat(32)}`
const copy: Digest = `sha256:${'c3'.repeat(32)}`
const at = (second: number): string => `2026-01-02T03:04:${String(second).padStart(2, '0')}.000Z`

function vertex(id: Digest, name: string, more: object = {}): BuildMessage {
  return { type: 'vertex', id, name, inputs: [], ...more }
}

const log = (text: string): BuildMessage => ({
  type: 'log',
  vertex: run,
  stream: 1,
  data: Buffer.from(text),
  at: at(2),
})

/** What a build of `FROM busybox`, `RUN make`, `COPY`, `CMD` tells; with `target` fail, `make` fails. */
export function* fakeMessages(target?: string): Generator<BuildMessage> {
  yield {
    type: 'instructions',
    instructions: [
      { text: 'FROM busybox', step: '[1/3] FROM busybox' },
      { text: 'RUN make', step: '[2/3] RUN make' },
      { text: 'COPY . /app', step: '[3/3] COPY . /app' },
      { text: 'CMD ["/app"]' },
    ],
  }
  yield vertex(from, '[1/3] FROM busybox', { started: at(0), completed: at(0), cached: true })
  yield vertex(run, '[2/3] RUN make', { started: at(1) })
  yield log('made\n')
  if (target === 'fail') {
    const error = 'process "/bin/sh -c make" did not complete successfully: exit code: 2'
    yield vertex(run, '[2/3] RUN make', { started: at(1), completed: at(3), error })
    throw new EngineError('invalid_argument', error, { code: 'BUILD_RUN_FAILED', details: { exitCode: 2 } })
  }
  yield vertex(run, '[2/3] RUN make', { started: at(1), completed: at(3) })
  yield vertex(copy, '[3/3] COPY . /app', { started: at(3), completed: at(4) })
}

export const fakeBuilds: BuildService = {
  async *build({ context, target, tags, signal, id }) {
    // A stream that is not read would keep the client from ever being done with it.
    if (context.type === 'tar') for await (const _ of context.bytes);
    if (target === 'missing') {
      throw new EngineError('invalid_argument', 'target stage "missing" could not be found', {
        code: 'BUILD_TARGET_UNKNOWN',
      })
    }
    yield* fakeMessages(target)
    if (target === 'endless') await new Promise((_, reject) => signal?.addEventListener('abort', reject))
    yield {
      type: 'result',
      id: id ?? 'build-1',
      imageId: fakeImageId,
      digest: undefined,
      names: tags.map((tag) => (tag.includes(':') ? tag : `${tag}:latest`)),
      artifacts: [],
      metadata: { 'containerimage.digest': fakeImageId },
    }
  },
  cancel: (id) => id === 'running',
  prune: async ({ all }) =>
    all ? { CachesDeleted: ['abc'], SpaceReclaimed: 7 } : { CachesDeleted: [], SpaceReclaimed: 0 },
  usage: () => Promise.resolve([]),
  planPrune: () => Promise.resolve([]),
  async why(id) {
    if (id !== undefined && id !== 'build-1') {
      throw new EngineError('not_found', `No such build: ${id}`, { code: 'BUILD_NOT_FOUND' })
    }
    const miss = { step: '[3/3] COPY . /app', line: 3, reason: 'file', subject: 'main.c' } as const
    return { id: 'build-1', name: 'demo', finished: at(5), steps: 3, cached: 2, misses: [miss] }
  },
  async artifact(build, index) {
    if (build !== 'build-1')
      throw new EngineError('not_found', `no output ${index}`, { code: 'BUILD_NOT_FOUND' })
    return chunks(['tar bytes'])
  },
  sessions: {
    begin: () => ({ id: 'session-1' }),
    putSecret: known,
    putAgent: known,
    putContext: async (session) => (known(session), { wanted: ['a'] }),
    async putFiles(session, _name, tar) {
      known(session)
      await Array.fromAsync(tar)
    },
    drop: async (session) => known(session),
  },
}

function known(session: string): void {
  if (session === 'session-1') return
  throw new EngineError('not_found', `No such session: ${session}`, { code: 'BUILD_SESSION_NOT_FOUND' })
}
