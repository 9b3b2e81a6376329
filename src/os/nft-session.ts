import { createInterface } from 'node:readline'
import { startProcess } from './process.ts'

/**
 * An nft that is asked line after line. A table with `flags owner` that is made here belongs to the session: the kernel
 * lets nobody else change it, leaves it alone when somebody flushes the ruleset, and removes it with the session,
 * however that ends.
 */
export interface NftSession extends AsyncDisposable {
  /** One transaction, in one line. Failures go to `onError`; what comes later is done all the same. */
  send(command: string): void
  /** Settles when it has ended, be it by itself. */
  readonly ended: Promise<unknown>
}

export async function startNftSession(onError: (line: string) => void): Promise<NftSession> {
  // It would write a history of its commands to the home directory.
  const child = await startProcess(['nft', '-i'], { env: { ...process.env, HOME: '/dev/null' } })
  createInterface({ input: child.stderr }).on('line', onError)
  child.stdout.resume()
  // A session that has ended says so by `ended`.
  child.stdin.on('error', () => undefined)
  return {
    ended: child.exited,
    send: (command) => void child.stdin.write(`${command}\n`),
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await child.exited
    },
  }
}
