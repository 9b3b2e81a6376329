import type { Digest } from '#base/digest.ts'
import { engineErrorOf, isKind } from '#base/errors.ts'
import { KeyedMutex } from '#base/mutex.ts'
import type { RegistryRequest } from '../http/route.ts'
import { uploadBusy, uploadUnknown } from '../storage/errors.ts'
import type { BlobFacts, Upload } from '../storage/storage.ts'
import type { ChunkRange } from './content-range.ts'
import type { ContentDeps } from './deps.ts'
import { outOfOrder, sizeInvalid, tooManyUploads } from './errors.ts'
import { uploadHeaders } from './locations.ts'

/** Milliseconds a request waits for the one before it to let go of an upload. */
const PATIENCE = 10_000

const OCTETS = 'application/octet-stream'

/** Where a chunk or a whole blob comes from. */
export interface Incoming {
  readonly body: AsyncIterable<Uint8Array>
  /** What Content-Range says. */
  readonly range: ChunkRange | undefined
  /** What Content-Length says. */
  readonly length: number | undefined
}

/** A request whose bytes go to an upload, and how many it had before. */
interface Sending {
  readonly size: number
  readonly abandon: () => void
}

/** Receives blobs. An upload belongs to the repository it was begun in. */
export class Uploads {
  readonly #deps: ContentDeps
  readonly #locks = new KeyedMutex()
  /** Uploads whose bytes are awaited. */
  readonly #awaited = new Map<string, Sending>()
  #receiving = 0

  constructor(deps: ContentDeps) {
    this.#deps = deps
  }

  async begin(repository: string, request: RegistryRequest): Promise<string> {
    const { catalogue, blobs, limits, hooks } = this.#deps
    await hooks.beforePush?.(repository, { kind: 'blob', bytes: undefined })
    if (catalogue.uploads.count() >= limits.uploads) throw tooManyUploads('uploads that have not ended')
    const id = await blobs.begin()
    catalogue.uploads.put({ id, repository, account: request.caller.name, begun: this.#now() })
    return id
  }

  /** Bytes received so far; without those that are on their way. */
  async size(repository: string, id: string, request: RegistryRequest): Promise<number> {
    const sending = this.#isOf(repository, id) ? this.#awaited.get(id) : undefined
    if (sending !== undefined) return sending.size
    await using held = await this.#hold(repository, id, request)
    return held.upload.size
  }

  /** Adds what comes and tells how much there is. What comes before a cut is kept. */
  async append(
    repository: string,
    id: string,
    incoming: Incoming,
    request: RegistryRequest,
  ): Promise<number> {
    await using held = await this.#hold(repository, id, request)
    await this.#receive(repository, held.upload, incoming, request)
    return held.upload.size
  }

  /** Adds the last chunk, if there is one, checks the digest, and makes the blob one of the repository. */
  async commit(
    repository: string,
    id: string,
    digest: Digest,
    incoming: Incoming,
    request: RegistryRequest,
  ): Promise<void> {
    await using held = await this.#hold(repository, id, request)
    await this.#complete(repository, held.upload, digest, incoming, request)
  }

  /** A blob in one request. Nothing is kept of one that fails: nobody has been told how to go on with it. */
  async whole(
    repository: string,
    digest: Digest,
    incoming: Incoming,
    request: RegistryRequest,
  ): Promise<void> {
    const id = await this.begin(repository, request)
    await using held = await this.#hold(repository, id, request)
    try {
      await this.#complete(repository, held.upload, digest, incoming, request)
    } catch (error) {
      await this.#forget(held.upload)
      throw error
    }
  }

  async cancel(repository: string, id: string, request: RegistryRequest): Promise<void> {
    await using held = await this.#hold(repository, id, request)
    await this.#forget(held.upload)
  }

  /**
   * Makes a blob of `from`, or of any repository that the caller may pull, one of `repository`, too. False when there is
   * none: the caller cannot tell whether it is missing or secret.
   */
  async mount(
    repository: string,
    digest: Digest,
    from: string | undefined,
    request: RegistryRequest,
  ): Promise<boolean> {
    const { catalogue, blobs, access, hooks } = this.#deps
    const candidates = from === undefined ? catalogue.links.holders(digest) : [from]
    const link = candidates
      .filter((name) => access.mayPull(request.caller, name))
      .map((name) => catalogue.links.get(name, digest))
      .find((found) => found !== undefined)
    if (link === undefined) return false
    await hooks.beforePush?.(repository, { kind: 'mount', bytes: link.size })
    try {
      await blobs.touch(digest)
    } catch (error) {
      if (isKind(error, 'not_found')) return false
      throw error
    }
    await this.#link(repository, digest, link.size, undefined)
    this.#publish('mount', repository, digest, link.size, request)
    return true
  }

  async #complete(
    repository: string,
    upload: Upload,
    digest: Digest,
    incoming: Incoming,
    request: RegistryRequest,
  ): Promise<void> {
    await this.#receive(repository, upload, incoming, request)
    let facts: BlobFacts
    try {
      facts = await upload.commit(digest)
    } catch (error) {
      // Nothing that is added can make these bytes right.
      if (isKind(error, 'invalid_argument')) await this.#forget(upload)
      throw error
    }
    await this.#link(repository, digest, facts.size, upload.id)
    this.#publish('push', repository, digest, facts.size, request)
  }

  async #receive(
    repository: string,
    upload: Upload,
    incoming: Incoming,
    { abandon }: RegistryRequest,
  ): Promise<void> {
    const { limits, hooks } = this.#deps
    const { range, length } = incoming
    const before = upload.size
    checkOrder(repository, upload, incoming)
    if (length === 0) return
    if (this.#receiving >= limits.receiving) throw tooManyUploads('blobs being received')
    this.#receiving++
    this.#awaited.set(upload.id, { size: before, abandon })
    try {
      if (length === undefined) await this.#appendUnknown(repository, upload, incoming)
      else {
        await hooks.beforePush?.(repository, { kind: 'blob', bytes: length })
        await this.#append(upload, incoming)
      }
    } finally {
      this.#receiving--
      this.#awaited.delete(upload.id)
    }
    if (range !== undefined && upload.size !== range.end) {
      throw sizeInvalid('fewer bytes came than Content-Range said', { received: upload.size - before })
    }
  }

  #append(upload: Upload, { body, range }: Incoming, room = Infinity): Promise<number> {
    return upload.append(body, { limit: Math.min(this.#deps.limits.blob, range?.end ?? Infinity, room) })
  }

  /** Nobody has said how much will come: as much is taken as there is room for, and then it is too much. */
  async #appendUnknown(repository: string, upload: Upload, incoming: Incoming): Promise<void> {
    const { hooks } = this.#deps
    const room = hooks.roomFor?.(repository)
    try {
      await this.#append(upload, incoming, room)
    } catch (error) {
      const limit = engineErrorOf(error)?.details['limit']
      if (room !== undefined && limit === room) {
        await hooks.beforePush?.(repository, { kind: 'blob', bytes: room + 1 })
      }
      throw error
    }
  }

  async #link(repository: string, blob: Digest, size: number, upload: string | undefined): Promise<void> {
    const { catalogue } = this.#deps
    const touched = this.#now()
    catalogue.transaction(() => {
      catalogue.repositories.pushed(repository, touched)
      catalogue.links.put({ repository, blob, size, touched })
      if (upload !== undefined) catalogue.uploads.remove(upload)
    })
    await catalogue.durable()
  }

  async #forget(upload: Upload): Promise<void> {
    await upload.cancel()
    this.#deps.catalogue.uploads.remove(upload.id)
  }

  async #hold(
    repository: string,
    id: string,
    request: RegistryRequest,
  ): Promise<{ readonly upload: Upload } & AsyncDisposable> {
    const { catalogue, blobs } = this.#deps
    if (!this.#isOf(repository, id)) throw uploadUnknown(id)
    // A client sends one chunk at a time: the one before comes over a connection that it has given up.
    this.#awaited.get(id)?.abandon()
    const lock = await this.#turn(id, request.signal)
    try {
      if (!this.#isOf(repository, id)) throw uploadUnknown(id)
      const upload = await blobs.upload(id)
      return {
        upload,
        [Symbol.asyncDispose]: async () => {
          try {
            await upload[Symbol.asyncDispose]()
          } finally {
            lock[Symbol.dispose]()
          }
        },
      }
    } catch (error) {
      // A power cut may take the file, and leave the row.
      if (isKind(error, 'not_found')) catalogue.uploads.remove(id)
      lock[Symbol.dispose]()
      throw error
    }
  }

  #isOf(repository: string, id: string): boolean {
    return this.#deps.catalogue.uploads.get(id)?.repository === repository
  }

  async #turn(id: string, signal: AbortSignal): Promise<Disposable> {
    const patience = AbortSignal.timeout(PATIENCE)
    try {
      return await this.#locks.acquire(id, { signal: AbortSignal.any([signal, patience]) })
    } catch (error) {
      if (patience.aborted) throw uploadBusy(id)
      throw error
    }
  }

  #publish(
    action: 'push' | 'mount',
    repository: string,
    digest: Digest,
    size: number,
    request: RegistryRequest,
  ): void {
    const facts = { action, repository, digest, size, tag: undefined, mediaType: OCTETS }
    this.#deps.events.publish(request, facts)
  }

  #now(): number {
    return this.#deps.clock.now().getTime()
  }
}

/** A chunk continues where the upload ends, and is as long as it says. */
function checkOrder(repository: string, upload: Upload, { range, length }: Incoming): void {
  if (range === undefined) return
  const { id, size } = upload
  if (range.offset !== size) throw outOfOrder(range.offset, size, uploadHeaders(repository, id, size))
  if (length !== undefined && range.end - range.offset !== length) {
    throw sizeInvalid('Content-Range and Content-Length disagree', { length })
  }
}
