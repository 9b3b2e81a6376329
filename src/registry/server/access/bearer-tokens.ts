import { randomUUID } from 'node:crypto'
import { jwtVerify, SignJWT, type JWTPayload } from 'jose'
import type { Clock } from '#base/clock.ts'
import type { SigningKey } from './signing-key.ts'

/** One entry of the claim `access`: distribution's "Token Authentication Implementation". */
export interface AccessEntry {
  readonly type: string
  readonly class?: string
  readonly name: string
  readonly actions: readonly string[]
}

export interface BearerClaims {
  /** Name of the account or deploy token; empty for anonymous. */
  readonly subject: string
  /** Id of the access token it came from. */
  readonly accessToken: string | undefined
  readonly access: readonly AccessEntry[]
}

export interface IssuedToken {
  readonly token: string
  /** Seconds. */
  readonly expiresIn: number
  readonly issuedAt: Date
}

export interface BearerTokensOptions {
  readonly key: SigningKey
  readonly clock: Clock
  /** `aud`: the registry, as its challenge names it. */
  readonly service: string
}

/** Seconds. Rights and accounts are looked up at every request, so a longer life would not be dangerous, only useless. */
const LIFETIME = 300
const ISSUER = 'berth-registry'
const ALGORITHM = 'ES256'
/** Seconds by which the clock may have been put back. */
const TOLERANCE = 5

/** Short-lived signed tokens (JWT, RFC 7519), which this registry alone issues and verifies. */
export class BearerTokens {
  readonly #options: BearerTokensOptions

  constructor(options: BearerTokensOptions) {
    this.#options = options
  }

  async issue(claims: BearerClaims): Promise<IssuedToken> {
    const { key, clock, service } = this.#options
    const issuedAt = clock.now()
    const seconds = Math.floor(issuedAt.getTime() / 1000)
    const token = await new SignJWT({ access: claims.access, token: claims.accessToken })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setSubject(claims.subject)
      .setAudience(service)
      .setIssuedAt(seconds)
      .setNotBefore(seconds - TOLERANCE)
      .setExpirationTime(seconds + LIFETIME)
      .setJti(randomUUID())
      .sign(key.privateKey)
    return { token, expiresIn: LIFETIME, issuedAt }
  }

  /** Rejects with jose's errors for anything that is not a token of this registry, now. */
  async verify(token: string): Promise<BearerClaims> {
    const { key, clock, service } = this.#options
    const { payload } = await jwtVerify(token, key.publicKey, {
      algorithms: [ALGORITHM],
      typ: 'JWT',
      issuer: ISSUER,
      audience: service,
      requiredClaims: ['sub', 'exp', 'nbf', 'iat', 'jti', 'access'],
      clockTolerance: TOLERANCE,
      currentDate: clock.now(),
    })
    return claimsOf(payload)
  }
}

/** What was signed was written by issue(). */
function claimsOf(payload: JWTPayload): BearerClaims {
  return {
    subject: payload.sub ?? '',
    accessToken: payload['token'] as string | undefined,
    access: payload['access'] as readonly AccessEntry[],
  }
}
