import { EngineError, type ErrorKind, messageOf } from '#base/errors.ts'

/** An archive that a web server sends. */
export interface RemoteArchive {
  /** As people see it: where it was asked for. */
  readonly url: string
  /** Bytes, if the server says so. */
  readonly size: number | undefined
  readonly bytes: AsyncIterable<Uint8Array>
}

const MAX_REDIRECTS = 5
/** Milliseconds that a server may be silent. */
const PATIENCE = 60_000
/** Of what a server says about a failure. */
const MAX_REASON = 512

/**
 * Asks for the archive at `address`: http or https, and http when it does not say, as in Docker. As in Docker, too, it is
 * the daemon that fetches, with the daemon's view of the network: whoever may call the API may make it ask any host that
 * it reaches, also private ones. It sends nothing about itself and no credentials, and what comes is an archive or is refused.
 */
export async function openRemoteArchive(
  address: string,
  options: { readonly signal: AbortSignal; readonly patience?: number },
): Promise<RemoteArchive> {
  const first = parseAddress(address)
  const silence = new Silence(options.patience ?? PATIENCE)
  const signal = AbortSignal.any([options.signal, silence.signal])
  try {
    const response = await follow(first, signal)
    if (!response.ok) throw await refusal(first, response)
    const length = Number(response.headers.get('content-length') ?? Number.NaN)
    return {
      url: first.href,
      size: Number.isSafeInteger(length) && length > 0 ? length : undefined,
      bytes: silence.watch(response.body ?? nothing()),
    }
  } catch (error) {
    silence.end()
    throw told(first, error, options.signal)
  }
}

function parseAddress(address: string): URL {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `http://${address}`)
  if (url === null) throw invalid(`invalid address ${JSON.stringify(address)}`)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(`cannot fetch ${address}: only http and https addresses are fetched`)
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      'an address with a password would end up in logs and histories: fetch it yourself and send it with "-"',
    )
  }
  return url
}

async function follow(first: URL, signal: AbortSignal): Promise<Response> {
  let url = first
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url, {
      signal,
      redirect: 'manual',
      headers: { 'accept-encoding': 'identity', 'user-agent': 'berth' },
    })
    const target = response.status >= 300 && response.status < 400 && response.headers.get('location')
    if (target === false || target === null || target === '') return response
    await response.body?.cancel()
    if (redirects === MAX_REDIRECTS) throw invalid(`GET ${first.href}: more than ${MAX_REDIRECTS} redirects`)
    const next = parseAddress(new URL(target, url).href)
    if (url.protocol === 'https:' && next.protocol !== 'https:') {
      throw invalid(`GET ${first.href}: redirected from https to ${next.href}`)
    }
    url = next
  }
}

async function refusal(url: URL, response: Response): Promise<EngineError> {
  const { status, statusText } = response
  const kind: ErrorKind =
    status === 404 ? 'not_found' : status === 401 || status === 403 ? 'permission_denied' : 'unavailable'
  let said = ''
  for await (const chunk of response.body ?? nothing()) {
    said += Buffer.from(chunk).toString('latin1')
    if (said.length >= MAX_REASON) break
  }
  const reason = said
    .slice(0, MAX_REASON)
    .replaceAll(/[^\x21-\x7e]+/g, ' ')
    .trim()
  return failed(kind, `failed to GET ${url.href} with status ${status} ${statusText}: ${reason}`)
}

function told(url: URL, error: unknown, caller: AbortSignal): unknown {
  caller.throwIfAborted()
  if (error instanceof EngineError) return error
  // What went wrong is the cause of a "fetch failed".
  const reason =
    error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error)
  return failed('unavailable', `cannot fetch ${url.href}: ${reason}`, error)
}

/** Aborts when nothing has come for a while. */
class Silence {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(patience: number) {
    this.#timer = setTimeout(() => {
      this.#controller.abort(failed('unavailable', `the server has been silent for ${patience} ms`))
    }, patience)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  async *watch(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source) {
        this.#timer.refresh()
        yield chunk
        this.#timer.refresh()
      }
    } finally {
      this.end()
    }
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // A body that is not there.
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'IMPORT_ADDRESS_INVALID' })
}

function failed(kind: ErrorKind, message: string, cause?: unknown): EngineError {
  return new EngineError(kind, message, {
    code: 'IMPORT_FETCH_FAILED',
    ...(cause === undefined ? {} : { cause }),
  })
}
