/** Reads from the mirrors of a registry, in order, and from the registry itself last. */
import type { Clock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { Descriptor } from '#oci/image-spec.ts'
import type { ServerMemory } from './exchange.ts'
import type {
  BlobBody,
  FetchedManifest,
  ManifestName,
  ReadableRepository,
  RequestOptions,
} from './repository.ts'

/** How long a mirror that failed is passed over. Milliseconds. */
const REST = 60_000

export interface Reader {
  readonly host: string
  readonly memory: Pick<ServerMemory, 'restsUntil'>
  readonly reads: ReadableRepository
}

export class MirroredReads implements ReadableRepository {
  readonly #readers: () => Promise<readonly Reader[]>
  readonly #clock: Clock
  readonly #logger: Logger

  constructor(readers: () => Promise<readonly Reader[]>, clock: Clock, logger: Logger) {
    this.#readers = readers
    this.#clock = clock
    this.#logger = logger
  }

  resolve(name: ManifestName, options: RequestOptions = {}): Promise<Descriptor | undefined> {
    return this.#first(
      options,
      ({ reads }) => reads.resolve(name, options),
      (found) => found !== undefined,
    )
  }

  manifest(name: ManifestName, options: RequestOptions = {}): Promise<FetchedManifest> {
    return this.#first(options, ({ reads }) => reads.manifest(name, options))
  }

  document(
    descriptor: Pick<Descriptor, 'digest' | 'size'>,
    options: RequestOptions & { readonly limit: number },
  ): Promise<Uint8Array> {
    return this.#first(options, ({ reads }) => reads.document(descriptor, options))
  }

  blob(
    descriptor: Pick<Descriptor, 'digest' | 'size'>,
    options: Parameters<ReadableRepository['blob']>[1] = {},
  ): Promise<BlobBody> {
    return this.#first(options, async (reader) => {
      const body = await reader.reads.blob(descriptor, options)
      return { offset: body.offset, chunks: this.#watched(reader, body.chunks) }
    })
  }

  /** The registry's own: a mirror lists what it has. */
  async *tags(options: RequestOptions = {}): AsyncGenerator<string> {
    const reader = (await this.#readers()).at(-1)
    if (reader !== undefined) yield* reader.reads.tags(options)
  }

  referrers(
    digest: Digest,
    options: Parameters<ReadableRepository['referrers']>[1] = {},
  ): Promise<readonly Descriptor[]> {
    return this.#first(
      options,
      ({ reads }) => reads.referrers(digest, options),
      (found) => found.length > 0,
    )
  }

  /** A mirror that breaks off is not where the rest is asked for. */
  async *#watched(reader: Reader, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks
    } catch (error) {
      if (isKind(error, 'unavailable')) this.#failed(reader, error)
      throw error
    }
  }

  #failed(reader: Reader, error: unknown): void {
    if (isKind(error, 'not_found')) {
      this.#logger.debug('mirror has it not', { mirror: reader.host, error })
      return
    }
    reader.memory.restsUntil = this.#clock.now().getTime() + REST
    this.#logger.warn('mirror failed, asking the next', { mirror: reader.host, error })
  }

  /** What goes wrong at a mirror is no failure: the next one is asked. */
  async #first<T>(
    { signal }: RequestOptions,
    ask: (reader: Reader) => Promise<T>,
    good: (answer: T) => boolean = () => true,
  ): Promise<T> {
    const readers = await this.#readers()
    const now = this.#clock.now().getTime()
    for (const reader of readers.slice(0, -1).filter(({ memory }) => memory.restsUntil <= now)) {
      try {
        const answer = await ask(reader)
        if (good(answer)) return answer
      } catch (error) {
        signal?.throwIfAborted()
        this.#failed(reader, error)
      }
    }
    const registry = readers.at(-1)
    if (registry === undefined) throw new Error('a repository without a registry')
    return ask(registry)
  }
}
