import type { Readable } from 'node:stream'
import type {
  ImageDeleteResponseItem,
  ImageHistoryResponseItem,
  ImageInspect,
  ImageSummary,
} from '#api/generated/types.ts'
import type { Cancellable } from './containers.ts'
import { filtersQuery, type Filters } from './filters.ts'
import { jsonLines } from './json.ts'
import { authHeaders } from './registries.ts'
import type { Call, Transport } from './transport.ts'
import { segment } from './segment.ts'

/** A line of the progress stream of pull, push, load and import. */
export interface ProgressMessage {
  readonly stream?: string | undefined
  readonly status?: string | undefined
  readonly id?: string | undefined
  readonly progressDetail?:
    | {
        readonly current?: number | undefined
        readonly total?: number | undefined
        readonly units?: string | undefined
        readonly hidecounts?: boolean | undefined
      }
    | undefined
  readonly error?: string | undefined
  readonly errorDetail?:
    | { readonly code?: number | undefined; readonly message?: string | undefined }
    | undefined
  readonly aux?: unknown
}

/** An OCI platform as some parameters want it: a JSON object. */
export interface PlatformQuery {
  readonly os: string
  readonly architecture: string
  readonly variant?: string | undefined
}

/** Images by name, digest or id. Progress streams report their failures in-band, as lines with `errorDetail`. */
export class Images {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** With `manifests`, what each image has for which platform (`Manifests`). */
  async list(
    options: { readonly all?: boolean; readonly filters?: Filters; readonly manifests?: boolean } = {},
  ): Promise<ImageSummary[]> {
    const { all, filters, manifests } = options
    const query = { all, filters: filtersQuery(filters), manifests }
    return this.#transport.json('GET', '/images/json', { query })
  }

  async inspect(
    ref: string,
    options: { readonly platform?: PlatformQuery | undefined } = {},
  ): Promise<ImageInspect> {
    return this.#transport.json('GET', at(ref, '/json'), {
      query: { platform: platform(options.platform) },
    })
  }

  async history(
    ref: string,
    options: { readonly platform?: PlatformQuery | undefined } = {},
  ): Promise<ImageHistoryResponseItem[]> {
    return this.#transport.json('GET', at(ref, '/history'), {
      query: { platform: platform(options.platform) },
    })
  }

  async tag(ref: string, repo: string, tag: string): Promise<void> {
    await this.#transport.status('POST', at(ref, '/tag'), { query: { repo, tag } })
  }

  async remove(
    ref: string,
    options: {
      readonly force?: boolean
      readonly noPrune?: boolean
      readonly platforms?: readonly PlatformQuery[]
    },
  ): Promise<ImageDeleteResponseItem[]> {
    const query = {
      force: options.force,
      noprune: options.noPrune,
      platforms: options.platforms?.map((each) => JSON.stringify(each)),
    }
    return this.#transport.json('DELETE', at(ref, ''), { query })
  }

  async prune(
    filters?: Filters,
  ): Promise<{ ImagesDeleted?: ImageDeleteResponseItem[] | null; SpaceReclaimed?: number | null }> {
    return this.#transport.json('POST', '/images/prune', { query: { filters: filtersQuery(filters) } })
  }

  /** `name` without tag or digest; an empty `tag` pulls every tag. */
  pull(
    name: string,
    options: {
      readonly tag: string
      readonly platform?: string | undefined
      readonly auth?: string | undefined
    } & Cancellable,
  ): AsyncGenerator<ProgressMessage> {
    const { tag, platform: wanted, auth, signal } = options
    return this.#progress('/images/create', {
      query: { fromImage: name, tag: tag || undefined, platform: wanted },
      headers: authHeaders(auth),
      signal,
    })
  }

  /** `name` without tag or digest; an empty `tag` sends every tag. Ends with an `aux` of Tag, Digest and Size per tag. */
  push(
    name: string,
    options: {
      readonly tag: string
      readonly platform?: PlatformQuery | undefined
      /** Engines insist on it: without credentials that of `{}`. */
      readonly auth: string
    } & Cancellable,
  ): AsyncGenerator<ProgressMessage> {
    const { tag, platform: wanted, auth, signal } = options
    const query = { tag: tag || undefined, platform: platform(wanted) }
    return this.#progress(at(name, '/push'), { query, headers: authHeaders(auth), signal })
  }

  /** `source` is `-` with a body, or a URL that the daemon fetches. */
  import(
    source: string,
    options: {
      readonly repo?: string | undefined
      readonly tag?: string | undefined
      readonly message?: string | undefined
      readonly changes?: readonly string[]
      readonly platform?: string | undefined
      readonly body?: Readable | undefined
    } & Cancellable,
  ): AsyncGenerator<ProgressMessage> {
    const { body, signal, ...rest } = options
    return this.#progress('/images/create', { query: { fromSrc: source, ...rest }, body, signal })
  }

  load(
    tar: Readable,
    options: { readonly quiet: boolean; readonly platforms?: readonly PlatformQuery[] } & Cancellable,
  ): AsyncGenerator<ProgressMessage> {
    const query = {
      quiet: options.quiet ? '1' : '0',
      platform: options.platforms?.map((each) => JSON.stringify(each)),
    }
    return this.#progress('/images/load', { query, body: tar, signal: options.signal })
  }

  /** A tar with an OCI layout and Docker's manifest.json. */
  async save(
    refs: readonly string[],
    options: { readonly platforms?: readonly PlatformQuery[] } & Cancellable = {},
  ): Promise<Readable> {
    const query = { names: refs, platform: options.platforms?.map((each) => JSON.stringify(each)) }
    return this.#transport.open('GET', '/images/get', { query, signal: options.signal })
  }

  async *#progress(path: string, call: Call): AsyncGenerator<ProgressMessage> {
    const response = await this.#transport.open('POST', path, call)
    yield* jsonLines(response) as AsyncGenerator<ProgressMessage>
  }
}

/** Slashes, colons and `@` of a reference stay as they are: the server matches the end of the path. */
function at(ref: string, suffix: string): string {
  return `/images/${segment('image', ref).replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%40', '@')}${suffix}`
}

function platform(wanted: PlatformQuery | undefined): string | undefined {
  return wanted === undefined ? undefined : JSON.stringify(wanted)
}
