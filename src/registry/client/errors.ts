/** Failures of registries, in the words that Docker's users know, and with what to do next. */
import { EngineError, type ErrorCode, type ErrorKind, isErrno, messageOf } from '#base/errors.ts'
import { familiarName } from '#oci/reference.ts'
import type { RepositoryName } from './repository.ts'

/** What a request was about, for the text of its failure. */
export interface Subject {
  /** Host that people know. */
  readonly registry: string
  readonly repository?: RepositoryName | undefined
  /** Tag or digest. */
  readonly reference?: string | undefined
  readonly action: 'pull' | 'push' | 'login' | 'search' | 'token'
}

const MAX_DETAIL = 500

/** A stranger's words: one line, no control characters, not too many. */
export function quotable(text: string): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return plain.length > MAX_DETAIL ? `${plain.slice(0, MAX_DETAIL)}…` : plain
}

/** The connection failed, or TLS did. `host` with its port. */
export function connectionError(host: string, error: unknown): EngineError {
  const certificate = certificateProblem(error, host)
  if (certificate !== undefined) {
    return new EngineError(
      'unavailable',
      `registry ${host}: tls: failed to verify certificate: x509: ${certificate.problem}; ${certificate.remedy}, or list ` +
        `${host} in "insecure-registries" if you trust the network`,
      { code: 'REGISTRY_CERTIFICATE', cause: error },
    )
  }
  if (isErrno(error, 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG') || speaksHttp(error)) {
    return new EngineError(
      'unavailable',
      `registry ${host}: http: server gave HTTP response to HTTPS client; list ${host} in "insecure-registries" if plain ` +
        'HTTP is meant',
      { code: 'REGISTRY_TLS', cause: error },
    )
  }
  if (isErrno(error, 'EPROTO') || (error instanceof Error && /^ERR_(SSL|TLS)_/.test(codeOf(error)))) {
    return new EngineError('unavailable', `registry ${host}: tls: ${quotable(messageOf(error))}`, {
      code: 'REGISTRY_TLS',
      cause: error,
    })
  }
  return new EngineError('unavailable', `cannot reach registry ${host}: ${connectionProblem(error)}`, {
    code: 'REGISTRY_UNREACHABLE',
    cause: error,
    details: attemptsFor(error),
  })
}

/** A name that does not exist will not do so a moment later; who refuses may be just about to listen. */
function attemptsFor(error: unknown): { readonly attempts?: number } {
  if (isErrno(error, 'ENOTFOUND')) return { attempts: 1 }
  return isErrno(error, 'ECONNREFUSED') ? { attempts: 3 } : {}
}

/** A kept connection that the registry closed at the very moment: nothing is wrong, nothing was done. */
export function closedWhileIdle(host: string, cause: unknown): EngineError {
  return new EngineError('unavailable', `cannot reach registry ${host}: ${connectionProblem(cause)}`, {
    code: 'REGISTRY_CONNECTION_OLD',
    cause,
  })
}

export function stalled(host: string, limit: number): EngineError {
  return new EngineError('unavailable', `registry ${host} sent nothing for ${limit / 1000} s`, {
    code: 'REGISTRY_STALLED',
    // Each attempt costs the whole limit.
    details: { attempts: 2 },
  })
}

export function cutShort(host: string, cause?: unknown): EngineError {
  return new EngineError('unavailable', `registry ${host}: connection closed in the middle: unexpected EOF`, {
    code: 'REGISTRY_CUT',
    cause,
  })
}

/** The registry broke its protocol, or what it sent is not what was asked for. */
export function badAnswer(host: string, message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', `registry ${host}: ${message}`, {
    code: 'REGISTRY_ANSWER_INVALID',
    cause,
  })
}

export function wrongDigest(host: string, wanted: string, got: string): EngineError {
  return new EngineError(
    'invalid_argument',
    `registry ${host}: content digest mismatch: want ${quotable(wanted)}, got ${got}`,
    { code: 'REGISTRY_DIGEST_MISMATCH', details: { wanted, got } },
  )
}

/** Where a registry would have us go, and must not. */
export function refusedTarget(message: string): EngineError {
  return new EngineError('permission_denied', message, { code: 'REGISTRY_TARGET_REFUSED' })
}

export interface ErrorAnswer {
  readonly status: number
  /** The first error of the body; both are empty when there is none. */
  readonly code: string
  readonly message: string
  /** Milliseconds, from `Retry-After`. */
  readonly retryAfter: number | undefined
  /** How often it is worth to ask. */
  readonly attempts?: number | undefined
}

/** distribution-spec "Error Codes"; token services and proxies write other things. */
export function parseErrorBody(bytes: Uint8Array): { readonly code: string; readonly message: string } {
  const nothing = { code: '', message: '' }
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return nothing // a page of a proxy, say: the status has to do
  }
  if (typeof document !== 'object' || document === null) return nothing
  const { errors, details, message, error_description } = document as Record<string, unknown>
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  if (typeof first === 'object' && first !== null) {
    const { code, message: text } = first as Record<string, unknown>
    return { code: quotable(word(code)), message: quotable(word(text)) }
  }
  return { code: '', message: quotable(word(error_description) || word(details) || word(message)) }
}

/** What an answer of 400 and above means. */
export function answerError(subject: Subject, answer: ErrorAnswer): EngineError {
  const { status, code, retryAfter, attempts } = answer
  const known = knownAnswer(subject, answer)
  const [kind, text] = known ?? [kindOf(status), `registry ${subject.registry}: ${said(answer)}`]
  return new EngineError(kind, text, {
    ...(codes[kind] ?? otherwise),
    details: {
      status,
      registryCode: code,
      ...(retryAfter === undefined ? {} : { retryAfter }),
      ...(attempts === undefined ? {} : { attempts }),
    },
  })
}

type Known = readonly [ErrorKind, string]

function knownAnswer(subject: Subject, answer: ErrorAnswer): Known | undefined {
  const { status } = answer
  if (status === 429) return ['resource_exhausted', limitText(subject, answer)]
  if (status === 401)
    return ['unauthenticated', `unauthorized: ${answer.message || 'authentication required'}`]
  if (status === 403) return denied(subject, answer)
  if (status === 404) return missing(subject, answer)
  return undefined
}

function denied({ action, repository }: Subject, answer: ErrorAnswer): Known {
  const text = `denied: ${answer.message || 'requested access to the resource is denied'}`
  if (action !== 'pull' || repository === undefined) return ['permission_denied', text]
  // Registries do not tell those who may not read a repository whether it exists: neither does Docker.
  const name = familiar(repository)
  return [
    'not_found',
    `pull access denied for ${name}, repository does not exist or may require 'docker login': ${text}`,
  ]
}

function missing(subject: Subject, answer: ErrorAnswer): Known | undefined {
  const { repository, reference, action, registry } = subject
  if (action === 'search') return ['not_found', `registry ${registry} does not answer searches (/v1/search)`]
  if (repository === undefined) return undefined
  const name = familiar(repository)
  if (answer.code === 'NAME_UNKNOWN') return ['not_found', `repository ${name} not found: ${said(answer)}`]
  if (reference === undefined) return ['not_found', `${name}: ${said(answer)}`]
  const full = reference.includes(':') ? `${name}@${reference}` : `${name}:${reference}`
  const why = answer.code === '' ? 'manifest unknown: manifest unknown' : said(answer)
  return ['not_found', `manifest for ${full} not found: ${why}`]
}

function limitText({ registry }: Subject, answer: ErrorAnswer): string {
  const wait = answer.retryAfter ? ` (try again in ${Math.ceil(answer.retryAfter / 1000)} s)` : ''
  return `toomanyrequests: ${answer.message || `registry ${registry} limits requests`}${wait}`
}

/** As Docker's registry writes its errors: `manifest unknown: manifest unknown`. */
function said({ status, code, message }: ErrorAnswer): string {
  if (code === '' && message === '') return `unexpected status ${status}`
  const name = code.toLowerCase().replaceAll('_', ' ')
  return [name, message].filter((part) => part !== '').join(': ')
}

function kindOf(status: number): ErrorKind {
  if (status === 413 || status === 416 || status < 405) return 'invalid_argument'
  if (status === 405 || status === 501) return 'not_implemented'
  if (status === 409) return 'conflict'
  return status >= 500 || status === 408 ? 'unavailable' : 'invalid_argument'
}

const codes: Partial<Record<ErrorKind, { readonly code: ErrorCode }>> = {
  unauthenticated: { code: 'REGISTRY_UNAUTHENTICATED' },
  permission_denied: { code: 'REGISTRY_DENIED' },
  not_found: { code: 'REGISTRY_NOT_FOUND' },
  resource_exhausted: { code: 'REGISTRY_LIMIT' },
  unavailable: { code: 'REGISTRY_UNAVAILABLE' },
}
const otherwise = { code: 'REGISTRY_REFUSED' } as const

function familiar({ domain, path }: RepositoryName): string {
  return familiarName({ domain, path, tag: undefined, digest: undefined })
}

function word(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : ''
}

/** OpenSSL's words for plain text where a record should begin. */
function speaksHttp(error: unknown): boolean {
  return (
    isErrno(error, 'EPROTO') &&
    /wrong version number|packet length too long|http request/.test(messageOf(error))
  )
}

interface CertificateProblem {
  readonly problem: string
  readonly remedy: string
}

/** What is wrong with the certificate, and what somebody can do about it. */
function certificateProblem(error: unknown, host: string): CertificateProblem | undefined {
  if (!(error instanceof Error)) return undefined
  const remedy = `put the authority's certificate into /etc/berth/certs.d/${host}/ca.crt`
  switch (codeOf(error)) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return { problem: 'certificate signed by unknown authority (it is self-signed)', remedy }
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_UNTRUSTED':
    case 'INVALID_CA':
      return { problem: 'certificate signed by unknown authority', remedy }
    case 'CERT_HAS_EXPIRED':
      return { problem: 'certificate has expired', remedy: 'whoever runs the registry must renew it' }
    case 'CERT_NOT_YET_VALID':
      return { problem: 'certificate is not yet valid', remedy: "look at this machine's clock" }
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        problem: `certificate is for another host (${quotable(messageOf(error))})`,
        remedy: 'name the registry as its certificate does',
      }
    default:
      return /^(CERT|CRL)_/.test(codeOf(error)) ? { problem: quotable(messageOf(error)), remedy } : undefined
  }
}

function connectionProblem(error: unknown): string {
  if (isErrno(error, 'ENOTFOUND')) return 'no such host'
  if (isErrno(error, 'EAI_AGAIN')) return 'the name cannot be resolved now (server misbehaving)'
  if (isErrno(error, 'ECONNREFUSED')) return `${dialed(error)}connection refused`
  if (isErrno(error, 'EHOSTUNREACH', 'ENETUNREACH')) return 'no route to host'
  if (isErrno(error, 'ECONNRESET', 'EPIPE')) return 'connection reset by peer'
  if (isErrno(error, 'ETIMEDOUT')) return 'i/o timeout'
  // A proxy is named with its address, and that may hold a password.
  return quotable(messageOf(error).replaceAll(/\/\/[^@/\s]*@/g, '//'))
}

/** Who was called, in Docker's words: it may have been a proxy. */
function dialed(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  if (!(first instanceof Error && 'address' in first && 'port' in first)) return ''
  const address = String(first.address)
  return `dial tcp ${address.includes(':') ? `[${address}]` : address}:${String(first.port)}: connect: `
}
