/**
 * Blobs of upstreams. However many ask for one, it is fetched once: everybody reads the partial blob while it grows. It
 * becomes a blob of the registry when it is whole and has its digest; its last bytes are not handed out before.
 */
import type { Clock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { abortable } from '#base/mutex.ts'
import { GatheredWrites } from '#store/ingests/gathered-writes.ts'
import type { Ingest, Ingests } from '#store/ingests/ingests.ts'
import type { RegistryClient, Repository } from '../../client/repository.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import type { BlobStorage } from '../storage/storage.ts'
import { CachedRows } from './cached-rows.ts'
import { isAway, isRefusal, passedOn, upstreamHasNoBlob } from './errors.ts'
import type { ProxyStatistics } from './statistics.ts'
import type { ProxiedRepository } from './upstreams.ts'

export interface BlobCacheDeps {
  readonly catalogue: Catalogue
  readonly blobs: BlobStorage
  /** Partial blobs, of this cache alone. */
  readonly ingests: Ingests
  readonly client: RegistryClient
  readonly clock: Clock
  readonly logger: Logger
  readonly statistics: ProxyStatistics
}

/** A blob that can be read; not all of it need be here yet: it is fetched when it is read. */
export interface CachedBlob {
  readonly size: number
  /** From `offset` up to `end` (exclusive); all of it without. Fails before its last bytes when the upstream fails. */
  read(range?: { readonly offset: number; readonly end: number }): Promise<AsyncIterable<Uint8Array>>
}

interface Wanted {
  readonly digest: Digest
  readonly size: number
}

interface Download extends Wanted {
  /** Repository it comes from. */
  readonly proxied: ProxiedRepository
  readonly ingest: Ingest
  /** Resolves when the blob is durable and linked. */
  readonly done: Promise<void>
}

/** Connections that are cut are made again, as long as each brings something, and so many times without. */
const ATTEMPTS = 3
const FIRST_DELAY = 500

export class BlobCache {
  readonly #deps: BlobCacheDeps
  readonly #rows: CachedRows
  readonly #downloads = new Map<Digest, Promise<Download>>()
  readonly #running = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(deps: BlobCacheDeps) {
    this.#deps = deps
    this.#rows = new CachedRows(deps.catalogue)
  }

  /** `not_found` when no cached manifest of the repository names the blob, or the upstream has it no more. */
  async open(
    proxied: ProxiedRepository,
    digest: Digest,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<CachedBlob> {
    const size = this.#rows.sizeOf(proxied.name, digest)
    if (size === undefined) throw upstreamHasNoBlob(proxied.name, digest)
    if (await this.#isHere(proxied, { digest, size }, signal)) {
      this.#deps.statistics.blob('hit')
      return { size, read: (range) => this.#deps.blobs.read(digest, range) }
    }
    return { size, read: (range) => this.#read(proxied, { digest, size }, range, signal) }
  }

  /** Ends downloads, which go on where they were the next time. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#running)
  }

  /** Resolves when nothing is being fetched. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  /**
   * A blob that came by another repository is served only when the upstream says that this one has it, too: a manifest
   * alone proves nothing.
   */
  async #isHere(proxied: ProxiedRepository, wanted: Wanted, signal?: AbortSignal): Promise<boolean> {
    const { digest, size } = wanted
    const { blobs, catalogue } = this.#deps
    const isLinked = catalogue.links.get(proxied.name, digest) !== undefined
    // A file that is cut is none; the one that is fetched takes its place.
    const stored = (await blobs.stat(digest))?.size === size
    if (isLinked && stored) return true
    const running = await this.#downloads.get(digest)?.catch(() => undefined)
    if (!stored && (running === undefined || running.proxied.name === proxied.name)) return false
    if (!(await this.#source(proxied).hasBlob(digest, { signal }))) {
      throw upstreamHasNoBlob(proxied.name, digest)
    }
    if (!stored || !(await this.#touched(digest))) return false
    this.#rows.link(proxied.name, digest, size, this.#now())
    return true
  }

  /** It may be collected any moment until its time is renewed; false when it just has been. */
  async #touched(digest: Digest): Promise<boolean> {
    try {
      await this.#deps.blobs.touch(digest)
      return true
    } catch (error) {
      if (isKind(error, 'not_found')) return false
      throw error
    }
  }

  async #read(
    proxied: ProxiedRepository,
    wanted: Wanted,
    range: { readonly offset: number; readonly end: number } | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AsyncIterable<Uint8Array>> {
    this.#deps.statistics.blob('miss')
    const download = await abortable(this.#download(proxied, wanted), signal)
    if (range === undefined) return this.#follow(download, signal)
    await abortable(download.done, signal)
    return this.#deps.blobs.read(wanted.digest, range)
  }

  #download(proxied: ProxiedRepository, wanted: Wanted): Promise<Download> {
    let download = this.#downloads.get(wanted.digest)
    if (download === undefined) {
      download = this.#begin(proxied, wanted)
      this.#downloads.set(wanted.digest, download)
      download.catch(() => this.#downloads.delete(wanted.digest))
    }
    return download
  }

  async #begin(proxied: ProxiedRepository, wanted: Wanted): Promise<Download> {
    const ingest = await this.#deps.ingests.open(wanted)
    const done = this.#complete(proxied, wanted, ingest).finally(() => {
      this.#downloads.delete(wanted.digest)
      this.#running.delete(done)
    })
    // Whoever reads is told; when nobody does any more, the log line is enough.
    done.catch((error: unknown) =>
      this.#deps.logger.warn('blob could not be cached', { repository: proxied.name, ...wanted, error }),
    )
    this.#running.add(done)
    return { ...wanted, proxied, ingest, done }
  }

  async #complete(proxied: ProxiedRepository, wanted: Wanted, opened: Ingest): Promise<void> {
    await using ingest = opened
    const failed = new AbortController()
    // It is hashed and stored while it comes.
    const keeping = this.#keep(wanted, ingest, failed.signal)
    keeping.catch(() => undefined)
    try {
      await this.#fetch(proxied, wanted, ingest)
    } catch (error) {
      failed.abort(error)
      await Promise.allSettled([keeping])
      throw error
    }
    try {
      await keeping
    } catch (error) {
      // Either the bytes are wrong or the disk is full: none of them is worth keeping.
      await ingest.reset()
      throw error
    }
    this.#rows.link(proxied.name, wanted.digest, wanted.size, this.#now())
    await ingest.remove()
  }

  async #fetch(proxied: ProxiedRepository, wanted: Wanted, ingest: Ingest): Promise<void> {
    const { signal } = this.#closing
    for (let failures = 0; ;) {
      const [range] = ingest.missing()
      if (range === undefined) return
      try {
        await this.#fetchRange(proxied, wanted, ingest, range)
      } catch (error) {
        signal.throwIfAborted()
        if (isRefusal(error)) throw upstreamHasNoBlob(proxied.name, wanted.digest, error)
        const progressed = ingest.missing()[0]?.offset !== range.offset
        failures = progressed ? 1 : failures + 1
        if (!isAway(error) || failures >= ATTEMPTS) throw passedOn(error)
        await this.#deps.clock.sleep(FIRST_DELAY * 2 ** failures, { signal })
      }
    }
  }

  async #fetchRange(
    proxied: ProxiedRepository,
    wanted: Wanted,
    ingest: Ingest,
    range: { readonly offset: number; readonly end: number },
  ): Promise<void> {
    const { signal } = this.#closing
    const body = await this.#source(proxied).blob(wanted, { ...range, signal })
    // A registry without ranges sends what is here already once more; it is written once more.
    // At once, however little it is: clients are waiting for it.
    const onWritten = (bytes: number): void => this.#deps.statistics.fetched(bytes)
    const writes = new GatheredWrites(ingest, body.offset, { least: 1, onWritten })
    try {
      for await (const chunk of body.chunks) await writes.add(chunk)
    } finally {
      await writes.finish()
    }
  }

  /** Checks the digest on the way. */
  async #keep({ digest, size }: Wanted, ingest: Ingest, signal: AbortSignal): Promise<void> {
    const { blobs } = this.#deps
    await using upload = await blobs.upload(await blobs.begin())
    try {
      await upload.append(ingest.read({ signal }), { limit: size })
      await upload.commit(digest)
    } catch (error) {
      await upload.cancel()
      throw error
    }
  }

  async *#follow(download: Download, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const { digest, size, ingest, done } = download
    let at = 0
    try {
      for await (const chunk of ingest.read({ signal })) {
        if (at + chunk.length >= size) await abortable(done, signal)
        yield chunk
        at += chunk.length
      }
      return
    } catch (error) {
      signal?.throwIfAborted()
      // The partial blob has gone: it is whole and somewhere else, or it has failed, and that is the reason to give.
      await abortable(done, signal)
      if (at >= size) throw error
    }
    yield* await this.#deps.blobs.read(digest, { offset: at, end: size })
  }

  #source({ source, upstream }: ProxiedRepository): Repository {
    return this.#deps.client.repository(source, { credentials: upstream.credentials })
  }

  #now(): number {
    return this.#deps.clock.now().getTime()
  }
}
