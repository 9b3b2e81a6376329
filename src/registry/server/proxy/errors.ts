import type { Digest } from '#base/digest.ts'
import { EngineError, engineErrorOf, isKind } from '#base/errors.ts'

/** The codes are those of distribution-spec. */
export function upstreamHasNoManifest(repository: string, reference: string, cause?: unknown): EngineError {
  return new EngineError('not_found', `manifest unknown: ${repository} has no ${reference} upstream`, {
    code: 'MANIFEST_UNKNOWN',
    details: { name: repository, reference },
    cause,
  })
}

export function upstreamHasNone(repository: string, cause?: unknown): EngineError {
  return new EngineError('not_found', `repository name not known to registry, nor upstream: ${repository}`, {
    code: 'NAME_UNKNOWN',
    details: { name: repository },
    cause,
  })
}

export function upstreamHasNoBlob(repository: string, digest: Digest, cause?: unknown): EngineError {
  return new EngineError('not_found', `blob unknown to registry: no cached manifest names ${digest}`, {
    code: 'BLOB_UNKNOWN',
    details: { name: repository, digest },
    cause,
  })
}

/** Pushing into a cache would put there what its upstream has not. */
export function proxiedIsReadOnly(repository: string, domain: string): EngineError {
  return new EngineError(
    'permission_denied',
    `${repository} is a cache of ${domain}; push to ${domain} itself, or to another repository here`,
    { code: 'DENIED', details: { name: repository, upstream: domain } },
  )
}

/** The upstream cannot or will not answer now: what was answered before is better than nothing. */
export function isAway(error: unknown): boolean {
  return isKind(error, 'unavailable') || isKind(error, 'resource_exhausted')
}

/**
 * The upstream does not let the cache in. Our clients must not take that for a word about their own credentials, and
 * upstreams say the same of repositories that do not exist.
 */
export function isRefusal(error: unknown): boolean {
  return isKind(error, 'unauthenticated') || isKind(error, 'permission_denied') || isKind(error, 'not_found')
}

/** A failure of the upstream as one of ours: of what a client may know, how long the upstream asked to be left alone. */
export function passedOn(error: unknown): unknown {
  const known = engineErrorOf(error)
  if (known === undefined || !isAway(known)) return error
  const wait = waitOf(error)
  // The client's are milliseconds, the answer's seconds.
  const details = wait === undefined ? {} : { retryAfter: Math.ceil(wait / 1000) }
  const { kind, code, message } = known
  return kind === 'resource_exhausted'
    ? new EngineError(kind, message, { code: 'UPSTREAM_LIMITED', details, cause: error })
    : new EngineError(kind, message, { code, details, cause: error })
}

/** Milliseconds for which the upstream wants to be left alone. */
export function waitOf(error: unknown): number | undefined {
  const retryAfter = engineErrorOf(error)?.details['retryAfter']
  return typeof retryAfter === 'number' ? retryAfter : undefined
}
