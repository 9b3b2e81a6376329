import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { realpath } from 'node:fs/promises'
import { createServer } from 'node:net'
import { EngineError } from '#base/errors.ts'

/**
 * Makes sure that one process serves a directory: uploads are hashed as they come, which two would spoil for each other.
 * The lock is a socket without a file (unix(7), "abstract"), so that the kernel lets it go, however the process ends.
 */
export async function lockRoot(root: string): Promise<AsyncDisposable> {
  const name = createHash('sha256')
    .update(await realpath(root))
    .digest('hex')
  const server = createServer((socket) => socket.destroy())
  try {
    server.listen(`\0berth-registry-${name}`)
    await once(server, 'listening')
  } catch (error) {
    throw new EngineError('conflict', `another registry serves ${root} already`, {
      code: 'REGISTRY_ROOT_BUSY',
      details: { root },
      cause: error,
    })
  }
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
