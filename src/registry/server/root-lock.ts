import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, realpath } from 'node:fs/promises'
import { createServer } from 'node:net'
import { EngineError } from '#base/errors.ts'

/**
 * Makes the directory where there is none, and makes sure that one process serves it: uploads are hashed as they come,
 * which two would spoil for each other. The lock is a socket without a file (unix(7), "abstract"), so that the kernel lets
 * it go, however the process ends; it holds among processes of the same network namespace.
 */
export async function lockRoot(root: string): Promise<AsyncDisposable> {
  await mkdir(root, { recursive: true, mode: 0o700 })
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
