import { EngineError } from '#base/errors.ts'

/** Nobody has logged in, and it takes an account. `challenge` is the value of `WWW-Authenticate`. */
export function loginRequired(challenge: string): EngineError {
  return new EngineError('unauthenticated', 'authentication required', {
    code: 'LOGIN_REQUIRED',
    details: { challenge },
  })
}

/** Says nothing about which of the two is wrong. */
export function loginFailed(challenge: string): EngineError {
  return new EngineError('unauthenticated', 'incorrect username or password', {
    code: 'LOGIN_FAILED',
    details: { challenge },
  })
}

/** A bearer or refresh token that this registry did not issue, or that has ended. */
export function tokenInvalid(challenge: string, cause?: unknown): EngineError {
  return new EngineError('unauthenticated', 'the token is not valid (any more); log in again', {
    code: 'TOKEN_INVALID',
    details: { challenge },
    cause,
  })
}

/** The bearer token does not cover what was asked; another one may. RFC 6750, 3.1. */
export function tokenTooSmall(challenge: string): EngineError {
  return new EngineError('unauthenticated', 'requested access to the resource is denied', {
    code: 'TOKEN_SCOPE',
    details: { challenge },
  })
}

export function accessDenied(account: string): EngineError {
  return new EngineError('permission_denied', 'requested access to the resource is denied', {
    code: 'ACCESS_DENIED',
    details: { account },
  })
}

/** `seconds`: when to try again, for `Retry-After`. */
export function tooManyLogins(seconds: number): EngineError {
  return new EngineError('resource_exhausted', `too many failed logins; try again in ${seconds} s`, {
    code: 'LOGIN_LIMIT',
    details: { retryAfter: seconds },
  })
}

/** A rule, a pattern or a list of accounts of the configuration. */
export function wrongRule(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'ACCESS_RULE_INVALID', cause })
}

export function wrongTokenName(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'TOKEN_NAME_INVALID', cause })
}

export function wrongTokenScope(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'TOKEN_SCOPE_INVALID', cause })
}

export function wrongSigningKey(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'SIGNING_KEY_INVALID', cause })
}

export function wrongHtpasswd(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'HTPASSWD_INVALID', cause })
}

export function wrongAccountName(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'ACCOUNT_NAME_INVALID', cause })
}

export function wrongPassword(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'PASSWORD_INVALID', cause })
}

export function wrongTokenRequest(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'TOKEN_REQUEST_INVALID', cause })
}

export function wrongTlsFiles(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'TLS_FILES_INVALID', cause })
}

/** An address to listen on that needs more protection. */
export function tooExposed(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'REGISTRY_EXPOSED', cause })
}

/** The header `Host` of a request. */
export function wrongHost(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'REGISTRY_HOST_INVALID', cause })
}
