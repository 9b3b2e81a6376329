import { EngineError } from '#base/errors.ts'
import type { BuildService } from '#engine/builds/service.ts'

/** Stands for builds until they are put together. */
export const noBuilds: BuildService = {
  build: () => refuse(),
  cancel: () => false,
  prune: () => Promise.resolve({ CachesDeleted: [], SpaceReclaimed: 0 }),
  usage: () => Promise.resolve([]),
  why: async () => refuse(),
  artifact: async () => refuse(),
  sessions: {
    begin: () => refuse(),
    putSecret: () => refuse(),
    putAgent: () => refuse(),
    putContext: async () => refuse(),
    putFiles: async () => refuse(),
    drop: async () => refuse(),
  },
}

function refuse(): never {
  throw new EngineError('not_implemented', 'building images is not built yet', { code: 'NOT_IMPLEMENTED' })
}
