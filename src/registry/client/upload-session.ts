/** An upload as the registry sees it: where it is, how far it is, and its end without a blob. */
import type { Subject } from './errors.ts'
import type { RegistryExchange } from './exchange.ts'
import type { RetryPolicy } from './retries.ts'
import type { HttpReply } from './transport.ts'

export interface UploadTarget {
  readonly exchange: RegistryExchange
  /** Of the repository. */
  readonly path: string
  readonly scopes: readonly string[]
  readonly subject: Subject
  readonly retries: RetryPolicy
}

/** Milliseconds; longer than that nobody waits for something that is given up. */
const CANCEL_LIMIT = 2000

/** Best effort: a registry removes what is abandoned, later. */
export async function cancelUpload({ exchange, scopes, subject }: UploadTarget, target: URL): Promise<void> {
  try {
    const signal = AbortSignal.timeout(CANCEL_LIMIT)
    using _reply = await exchange.send({ method: 'DELETE', target, scopes, subject, retry: 'never', signal })
  } catch {
    // The registry purges it in its own time.
  }
}

/** `Range: 0-99` are 100 bytes; `0-0` may be none or one, and so begins anew. */
export function storedBytes(reply: HttpReply): number | undefined {
  const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(String(reply.headers['range'] ?? '')) ?? []
  return last === undefined || last === '0' ? undefined : Number(last) + 1
}
