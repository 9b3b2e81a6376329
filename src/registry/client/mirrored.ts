/** Reads from the mirrors of a registry, in order, and from the registry itself last. */
import type { Digest } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { Descriptor } from '#oci/image-spec.ts'
import type {
  BlobBody,
  FetchedManifest,
  ManifestName,
  ReadableRepository,
  RequestOptions,
} from './repository.ts'

export interface Reader {
  readonly host: string
  readonly reads: ReadableRepository
}

export class MirroredReads implements ReadableRepository {
  readonly #readers: () => Promise<readonly Reader[]>
  readonly #logger: Logger

  constructor(readers: () => Promise<readonly Reader[]>, logger: Logger) {
    this.#readers = readers
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
    return this.#first(options, ({ reads }) => reads.blob(descriptor, options))
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

  /** What goes wrong at a mirror is no failure: the next one is asked. */
  async #first<T>(
    { signal }: RequestOptions,
    ask: (reader: Reader) => Promise<T>,
    good: (answer: T) => boolean = () => true,
  ): Promise<T> {
    const readers = await this.#readers()
    for (const reader of readers.slice(0, -1)) {
      try {
        const answer = await ask(reader)
        if (good(answer)) return answer
      } catch (error) {
        signal?.throwIfAborted()
        const level = isKind(error, 'not_found') ? 'debug' : 'warn'
        this.#logger[level]('mirror failed, asking the next', { mirror: reader.host, error })
      }
    }
    const registry = readers.at(-1)
    if (registry === undefined) throw new Error('a repository without a registry')
    return ask(registry)
  }
}
