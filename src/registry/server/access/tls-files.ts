import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext, type TlsOptions } from 'node:tls'
import type { Clock } from '#base/clock.ts'
import { messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { wrongTlsFiles } from './errors.ts'

export interface TlsPaths {
  /** PEM: the server's certificate, then those in between. */
  readonly cert: string
  /** PEM, without a pass phrase. */
  readonly key: string
  /** PEM: clients must show a certificate of one of these authorities. */
  readonly clientCa?: string | undefined
}

export interface TlsFilesOptions {
  readonly clock: Clock
  readonly logger: Logger
}

/** Milliseconds between looks at the files. */
const INTERVAL = 10_000
const DAY = 86_400_000
const EXPIRES_SOON = 14 * DAY

/** Certificate and key of a server, checked before they are used, and read again when they change. */
export class TlsFiles {
  readonly #paths: TlsPaths
  readonly #options: TlsFilesOptions
  #tls: TlsOptions
  #version: string

  private constructor(paths: TlsPaths, options: TlsFilesOptions, tls: TlsOptions, version: string) {
    this.#paths = paths
    this.#options = options
    this.#tls = tls
    this.#version = version
  }

  /** Throws `invalid_argument`: a file cannot be read, the certificate has expired, the key belongs to another one. */
  static async open(paths: TlsPaths, options: TlsFilesOptions): Promise<TlsFiles> {
    const version = await versionOf(paths)
    return new TlsFiles(paths, options, await readTls(paths, options), version)
  }

  /** For `https.createServer()` and `setSecureContext()`. */
  get tls(): TlsOptions {
    return this.#tls
  }

  /** For SIGHUP. What cannot be used is logged, and what was in use stays; true when there is something new. */
  async reload(): Promise<boolean> {
    const { logger } = this.#options
    const version = await versionOf(this.#paths)
    if (version === this.#version) return false
    this.#version = version
    try {
      this.#tls = await readTls(this.#paths, this.#options)
      logger.info('certificate read again', { cert: this.#paths.cert })
      return true
    } catch (error) {
      logger.error('new certificate cannot be used; the old one stays', { error })
      return false
    }
  }

  /** Calls `apply` after every change of the files, until the signal is aborted. */
  async watch(apply: (tls: TlsOptions) => void, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#options.clock.sleep(INTERVAL, { signal })
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
      if (await this.reload()) apply(this.#tls)
    }
  }
}

async function readTls(paths: TlsPaths, { clock, logger }: TlsFilesOptions): Promise<TlsOptions> {
  const [cert, key, ca] = await Promise.all([
    readPem(paths.cert),
    readPem(paths.key),
    paths.clientCa === undefined ? undefined : readPem(paths.clientCa),
  ])
  const left = check(paths, { cert, key }, clock.now())
  if (left < EXPIRES_SOON) {
    logger.warn('certificate expires soon', { cert: paths.cert, days: Math.floor(left / DAY) })
  }
  const clients = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }
  const tls: TlsOptions = { cert, key, minVersion: 'TLSv1.2', ...clients }
  // OpenSSL passes over what is no certificate, and would then trust nobody.
  if (ca !== undefined) attempt(paths.clientCa ?? '', () => new X509Certificate(ca))
  attempt(paths.clientCa ?? paths.cert, () => createSecureContext(tls))
  return tls
}

/** Milliseconds for which the certificate is good. */
function check(paths: TlsPaths, { cert, key }: { cert: string; key: string }, now: Date): number {
  const certificate = attempt(paths.cert, () => new X509Certificate(cert))
  const privateKey = attempt(paths.key, () => createPrivateKey(key))
  if (!certificate.checkPrivateKey(privateKey)) {
    throw wrong(`${paths.key} is not the key of the certificate ${paths.cert}`)
  }
  const { validFromDate, validToDate } = certificate
  if (validToDate <= now) throw wrong(`the certificate ${paths.cert} expired at ${validToDate.toISOString()}`)
  if (validFromDate > now) {
    throw wrong(`the certificate ${paths.cert} is good only from ${validFromDate.toISOString()}`)
  }
  return validToDate.getTime() - now.getTime()
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw wrong(`cannot read ${path}: ${messageOf(error)}`, error)
  }
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw wrong(`${path} cannot be used for TLS: ${messageOf(error)}`, error)
  }
}

function wrong(message: string, cause?: unknown): Error {
  return wrongTlsFiles(message, cause)
}

/** A file that is not there (for a moment) has no version. */
async function versionOf({ cert, key, clientCa }: TlsPaths): Promise<string> {
  const paths = [cert, key, ...(clientCa === undefined ? [] : [clientCa])]
  const facts = await Promise.allSettled(paths.map((path) => stat(path, { bigint: true })))
  return facts
    .map((fact) =>
      fact.status === 'fulfilled' ? [fact.value.ino, fact.value.size, fact.value.mtimeNs].join(' ') : '',
    )
    .join(';')
}
