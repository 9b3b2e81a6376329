import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'

export function ingestBusy(digest: Digest): EngineError {
  return new EngineError('conflict', `blob ${digest} is being fetched already`, {
    code: 'INGEST_BUSY',
    details: { digest },
  })
}

/** Its reader was left behind: the bytes were thrown away, or nobody fetches any more. */
export function ingestEnded(digest: Digest): EngineError {
  return new EngineError('cancelled', `blob ${digest} is not being fetched any more`, {
    code: 'INGEST_ENDED',
    details: { digest },
  })
}
