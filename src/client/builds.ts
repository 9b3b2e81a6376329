import type { Readable } from 'node:stream'
import { BUILD_EXTRAS_TYPE, type BuildExtras } from '#api/build-extras.ts'
import { type BuildReasons, type BuildUpdate, decodeUpdate } from '#api/build-updates.ts'
import type { BuildCache } from '#api/generated/types.ts'
import { EngineError, type ErrorCode, type ErrorKind, isKind } from '#base/errors.ts'
import type { Cancellable } from './containers.ts'
import { DAEMON_ERROR } from './errors.ts'
import { filtersQuery, type Filters } from './filters.ts'
import { jsonLines } from './json.ts'
import type { Call, Query, Transport } from './transport.ts'

/** Docker's parameters of `POST /build`, and berth's own. */
export interface BuildCall extends Cancellable {
  readonly query: Query
  /** Berth's own; without a context in it, `tar` is the context. */
  readonly extras: BuildExtras
  readonly tar?: Readable | undefined
  /** The base64 text of `X-Registry-Config`. */
  readonly auths?: string | undefined
}

export interface ClassicCall extends Cancellable {
  readonly query: Query
  readonly tar: Readable
  /** The base64 text of `X-Registry-Config`. */
  readonly auths?: string | undefined
}

/** A line of the answer of such a build: what a step says, the progress of a pull, the id of the image. */
export interface ClassicMessage {
  readonly stream?: string
  readonly status?: string
  readonly id?: string
  readonly progressDetail?: object
  readonly aux?: { readonly ID?: string }
}

/** Builds of berth; `classic` is for other engines. */
export class Builds {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Ends with `result`, or rejects with the failure of the build. Leaving early cancels it. */
  async *build({ query, extras, tar, auths, signal }: BuildCall): AsyncGenerator<BuildUpdate> {
    const given = { ...query, 'berth-progress': true }
    const headers = auths === undefined ? undefined : { 'X-Registry-Config': auths }
    const response =
      tar === undefined
        ? await this.#transport.open('POST', '/build', {
            query: given,
            json: extras,
            headers: { ...headers, 'Content-Type': BUILD_EXTRAS_TYPE },
            signal,
          })
        : await this.#transport.open('POST', '/build', {
            query: { ...given, 'berth-request': JSON.stringify(extras) },
            body: tar,
            headers,
            signal,
          })
    let ended = false
    for await (const line of lines(response, signal)) {
      const update = decodeUpdate(line)
      if (update === undefined) throw failureOf(line as FailureLine)
      ended ||= update.type === 'result' || update.type === 'call'
      yield update
    }
    if (!ended) throw connectionLost()
  }

  /** A build as every engine of Docker knows it, version 1: what it says, line by line; rejects with its failure. */
  async *classic({ query, tar, auths, signal }: ClassicCall): AsyncGenerator<ClassicMessage> {
    const headers = {
      'Content-Type': 'application/x-tar',
      ...(auths === undefined ? {} : { 'X-Registry-Config': auths }),
    }
    const response = await this.#transport.open('POST', '/build', { query, body: tar, headers, signal })
    for await (const line of lines(response, signal)) {
      const message = line as ClassicMessage & { readonly error?: string }
      if (message.error !== undefined)
        throw new EngineError('internal', message.error, { code: DAEMON_ERROR })
      yield message
    }
  }

  /** `not_found` when there is no such build any more. */
  async cancel(id: string): Promise<void> {
    await this.#transport.status('POST', '/build/cancel', { query: { id } })
  }

  /** Bytes of an output, once: a tar. */
  async artifact(build: string, index: number, options: Cancellable = {}): Promise<Readable> {
    return this.#transport.open(
      'GET',
      `/berth/builds/${encodeURIComponent(build)}/artifacts/${index}`,
      options,
    )
  }

  /** Why steps were done again: those of the last build, or of the one with that id. */
  async why(id?: string): Promise<BuildReasons> {
    return this.#transport.json('GET', '/berth/builds/why', { query: { id } })
  }

  /** What is in the cache. */
  async usage(): Promise<readonly BuildCache[]> {
    const query = { type: 'build-cache', verbose: true }
    const usage = await this.#transport.json<{
      readonly BuildCacheUsage?: { readonly Items?: readonly BuildCache[] | null } | null
      readonly BuildCache?: readonly BuildCache[] | null
    }>('GET', '/system/df', { query })
    return usage.BuildCacheUsage?.Items ?? usage.BuildCache ?? []
  }

  /** Sizes in bytes. */
  async prune(options: {
    readonly all: boolean
    readonly filters: Filters
    readonly reservedSpace?: number | undefined
    readonly maxUsedSpace?: number | undefined
    readonly minFreeSpace?: number | undefined
  }): Promise<{ CachesDeleted?: string[] | null; SpaceReclaimed?: number | null }> {
    const query = {
      all: options.all,
      filters: filtersQuery(options.filters),
      'reserved-space': options.reservedSpace,
      // As clients of before API 1.48 say it.
      'keep-storage': options.reservedSpace,
      'max-used-space': options.maxUsedSpace,
      'min-free-space': options.minFreeSpace,
    }
    return this.#transport.json('POST', '/build/prune', { query })
  }

  /** Whether the engine sees the same directory under that path. `identity`: its device and inode, `DEVICE:INODE`. */
  async sees(path: string, identity: string, options: Cancellable = {}): Promise<boolean> {
    const call = { query: { path, identity }, ...options }
    const { sees } = await this.#ofBerth<{ sees: boolean }>('GET', '/berth/builds/sees', call)
    return sees
  }

  async #ofBerth<T>(method: 'GET' | 'POST', path: string, call: Call): Promise<T> {
    try {
      return await this.#transport.json<T>(method, path, call)
    } catch (error) {
      throw isKind(error, 'not_found') ? foreignEngine(error) : error
    }
  }

  async beginSession(options: Cancellable = {}): Promise<string> {
    const { id } = await this.#ofBerth<{ id: string }>('POST', '/berth/builds/sessions', options)
    return id
  }

  async putSecret(session: string, id: string, value: Readable): Promise<void> {
    const call = { body: value, contentType: 'application/octet-stream' }
    await this.#transport.status('PUT', `${at(session)}/secrets/${encodeURIComponent(id)}`, call)
  }

  /** `path` is a socket on the engine's host. */
  async putAgent(session: string, id: string, path: string): Promise<void> {
    await this.#transport.status('PUT', `${at(session)}/agents/${encodeURIComponent(id)}`, {
      query: { path },
    })
  }

  /** `list`: a JSON object per file and line, or that compressed; answers with the paths whose contents the engine lacks. */
  async putContext(
    session: string,
    name: string,
    list: Readable,
    options: Cancellable = {},
  ): Promise<readonly string[]> {
    const call = { body: list, contentType: 'application/jsonl', ...options }
    const path = `${at(session)}/contexts/${encodeURIComponent(name)}`
    const { wanted } = await this.#transport.json<{ wanted: readonly string[] }>('PUT', path, call)
    return wanted
  }

  async putFiles(session: string, name: string, tar: Readable, options: Cancellable = {}): Promise<void> {
    const path = `${at(session)}/contexts/${encodeURIComponent(name)}/files`
    await this.#transport.status('PUT', path, { body: tar, ...options })
  }

  async dropSession(session: string): Promise<void> {
    await this.#transport.status('DELETE', at(session))
  }
}

async function* lines(response: Readable, signal: AbortSignal | undefined): AsyncGenerator<unknown> {
  try {
    yield* jsonLines(response)
  } catch (error) {
    throw signal?.aborted === true || error instanceof EngineError ? error : connectionLost(error)
  }
}

/** The engine is another one than berth. */
export const FOREIGN_ENGINE = 'BUILD_FOREIGN_ENGINE'

function connectionLost(cause?: unknown): EngineError {
  const message =
    'the connection to the engine was lost before the build had ended; look whether the engine still runs'
  return new EngineError('unavailable', message, { code: 'DAEMON_CONNECTION', cause })
}

function foreignEngine(cause?: unknown): EngineError {
  const message = "this engine does not know berth's builds; give it a newer berth, or build with docker"
  return new EngineError('not_implemented', message, { code: FOREIGN_ENGINE, cause })
}

function at(session: string): string {
  return `/berth/builds/sessions/${encodeURIComponent(session)}`
}

interface FailureLine {
  readonly error?: string
  readonly 'berth.error'?: {
    readonly kind?: ErrorKind
    readonly code?: ErrorCode
    readonly details?: Readonly<Record<string, unknown>>
  }
}

function failureOf(line: FailureLine): EngineError {
  const { kind = 'internal', code, details } = line['berth.error'] ?? {}
  if (line.error === undefined) throw foreignEngine()
  return new EngineError(kind, line.error, {
    code: DAEMON_ERROR,
    details: { ...details, code },
  })
}
