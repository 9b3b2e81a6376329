import { EngineError, type ErrorKind, engineErrorOf } from '#base/errors.ts'
import { json, type Reply } from './reply.ts'

/** What a failure becomes outwards when its code says nothing else. distribution-spec "Error Codes" */
const byKind: Readonly<Record<ErrorKind, { readonly status: number; readonly oci?: string }>> = {
  invalid_argument: { status: 400 },
  unauthenticated: { status: 401, oci: 'UNAUTHORIZED' },
  permission_denied: { status: 403, oci: 'DENIED' },
  not_found: { status: 404 },
  conflict: { status: 409 },
  resource_exhausted: { status: 429, oci: 'TOOMANYREQUESTS' },
  cancelled: { status: 499 }, // nobody is left to read it; it is for the log
  internal: { status: 500, oci: 'UNKNOWN' },
  data_loss: { status: 500, oci: 'UNKNOWN' },
  not_implemented: { status: 405, oci: 'UNSUPPORTED' },
  unavailable: { status: 503, oci: 'UNAVAILABLE' },
}

/** What strangers are told of a full disk: not where it is. */
const FULL = { status: 507, oci: 'UNAVAILABLE', message: 'the registry has no space left' }

/** Our own codes that have a status, or a code of the specification, of their own. */
const byCode: Readonly<
  Record<string, { readonly status: number; readonly oci: string; readonly message?: string }>
> = {
  BLOB_UPLOAD_TOO_LARGE: { status: 413, oci: 'SIZE_INVALID' },
  MANIFEST_TOO_LARGE: { status: 413, oci: 'MANIFEST_INVALID' },
  BODY_TOO_LARGE: { status: 413, oci: 'SIZE_INVALID' },
  UPLOAD_OUT_OF_ORDER: { status: 416, oci: 'BLOB_UPLOAD_INVALID' },
  RANGE_NOT_SATISFIABLE: { status: 416, oci: 'UNSUPPORTED' },
  UPLOAD_RANGE_INVALID: { status: 400, oci: 'BLOB_UPLOAD_INVALID' },
  IMAGE_DOCUMENT_INVALID: { status: 400, oci: 'MANIFEST_INVALID' },
  REGISTRY_STORAGE_FULL: FULL,
  DATABASE_FULL: FULL,
}

export interface Failure {
  readonly status: number
  /** As it is in the body. */
  readonly code: string
  readonly reply: Reply
}

/**
 * A failure as HTTP: `details.challenge` becomes WWW-Authenticate, `details.retryAfter` (seconds) Retry-After,
 * `details.headers` headers. What is not an EngineError tells nothing to strangers.
 */
export function failureOf(error: unknown): Failure {
  const known = engineErrorOf(error)
  const kind = byKind[known?.kind ?? 'internal']
  const {
    status,
    oci: code,
    message: said,
  } = {
    status: kind.status,
    oci: kind.oci ?? known?.code ?? 'UNKNOWN',
    message: known?.message,
    ...byCode[known?.code ?? ''],
  }
  const message = said === undefined || status === 500 ? 'internal error; see the log' : said
  const detail = status >= 500 ? undefined : detailOf(known)
  return { status, code, reply: json({ errors: [{ code, message, detail }] }, headersOf(known), status) }
}

function detailOf(error: EngineError | undefined): unknown {
  if (error === undefined) return undefined
  const { challenge: _challenge, headers: _headers, ...detail } = error.details
  return Object.keys(detail).length === 0 ? undefined : detail
}

function headersOf(error: EngineError | undefined): Record<string, string> {
  const { challenge, retryAfter, headers } = error?.details ?? {}
  return {
    ...(typeof challenge === 'string' ? { 'WWW-Authenticate': challenge } : {}),
    ...(typeof retryAfter === 'number' ? { 'Retry-After': String(retryAfter) } : {}),
    ...(headers as Record<string, string> | undefined),
  }
}

/** Nothing is at this path. */
export function pageUnknown(): EngineError {
  return new EngineError('not_found', 'nothing is here; the API begins at /v2/', { code: 'PATH_UNKNOWN' })
}

export function methodUnsupported(allowed: readonly string[]): EngineError {
  return new EngineError('not_implemented', 'the operation is unsupported', {
    code: 'METHOD_UNSUPPORTED',
    details: { headers: { Allow: allowed.join(', ') } },
  })
}

export function bodyTooLarge(limit: number): EngineError {
  return new EngineError('invalid_argument', `the body is larger than ${limit} bytes`, {
    code: 'BODY_TOO_LARGE',
    details: { limit },
  })
}
