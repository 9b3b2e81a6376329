import { type Digest, digestOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { KeyedMutex } from '#base/mutex.ts'
import type { Descriptor } from '#oci/image-spec.ts'
import type { RegistryRequest } from '../http/route.ts'
import { checkTag, isDigestLike, isTag, parseDigest } from '../names.ts'
import type { ManifestRow } from '../storage/manifest-rows.ts'
import type { ContentDeps } from './deps.ts'
import {
  contentMissing,
  invalid,
  manifestTooLarge,
  manifestUnknown,
  nameUnknown,
  sizeInvalid,
} from './errors.ts'
import { type ManifestDocument, readManifest } from './manifest-document.ts'

export interface FoundManifest {
  readonly row: ManifestRow
  /** The tag it was asked for by. */
  readonly tag: string | undefined
  /** What is to be said along with it. */
  readonly headers: Readonly<Record<string, string>>
}

export interface PushedManifest {
  readonly bytes: Uint8Array
  readonly contentType: string | undefined
  /** Tags besides the one in the path. */
  readonly tags: readonly string[]
}

export interface StoredManifest {
  readonly digest: Digest
  readonly subject: Digest | undefined
  readonly tags: readonly string[]
}

/** More tags in one push than anybody has names for. */
const MAX_TAGS = 100

/** Manifests and the tags that lead to them. */
export class Manifests {
  readonly #deps: ContentDeps
  /** Per repository: what was checked before a push is so until it is stored. */
  readonly #pushes = new KeyedMutex()

  constructor(deps: ContentDeps) {
    this.#deps = deps
  }

  /** By tag or digest. Throws MANIFEST_UNKNOWN, also for what is neither. */
  async find(repository: string, reference: string, request: RegistryRequest): Promise<FoundManifest> {
    const { catalogue, hooks } = this.#deps
    if (!isDigestLike(reference) && !isTag(reference)) throw manifestUnknown(reference)
    const digest = isDigestLike(reference) ? parseDigest(reference) : undefined
    const note = await hooks.beforeManifest?.(repository, reference, { signal: request.signal })
    const tag = digest === undefined ? reference : undefined
    const found = digest ?? catalogue.tags.get(repository, reference)?.manifest
    const row = found === undefined ? undefined : catalogue.manifests.get(repository, found)
    if (row !== undefined) return { row, tag, headers: note?.headers ?? {} }
    if (catalogue.repositories.get(repository) === undefined) throw nameUnknown(repository)
    throw manifestUnknown(reference)
  }

  /** For HEAD, by which pushes find out what they need not send. */
  touch({ row: { repository, digest } }: FoundManifest): void {
    this.#deps.catalogue.manifests.touch(repository, digest, this.#now())
  }

  /** The document, byte for byte; counts as a pull. */
  read({ row, tag }: FoundManifest, request: RegistryRequest): Uint8Array {
    const { catalogue, events } = this.#deps
    const { repository, digest, mediaType, size } = row
    const bytes = catalogue.manifests.bytes(repository, digest)
    if (bytes === undefined) throw manifestUnknown(digest)
    const now = this.#now()
    catalogue.transaction(() => {
      catalogue.repositories.pulled(repository, now)
      catalogue.manifests.pulled(repository, digest, now)
      if (tag !== undefined) catalogue.tags.pulled(repository, tag, now)
    })
    events.publish(request, { action: 'pull', repository, digest, tag, mediaType, size })
    return bytes
  }

  /** Checks and stores it, with its tags, at once. */
  async put(
    repository: string,
    reference: string,
    pushed: PushedManifest,
    request: RegistryRequest,
  ): Promise<StoredManifest> {
    const { catalogue, limits, hooks } = this.#deps
    const { bytes } = pushed
    const tags = tagsOf(reference, pushed.tags)
    if (bytes.length > limits.manifest) throw manifestTooLarge(limits.manifest)
    const digest = digestOf(bytes)
    if (isDigestLike(reference) && parseDigest(reference) !== digest) throw otherDigest(reference, digest)
    const document = readManifest(bytes, pushed.contentType)
    {
      using _turn = await this.#pushes.acquire(repository, { signal: request.signal })
      await hooks.beforePush?.(repository, { kind: 'manifest', bytes: bytes.length, digest, tags })
      const blobs = await this.#claim(repository, document)
      this.#store(repository, { digest, bytes, tags, document, blobs })
    }
    await catalogue.durable()

    const { mediaType, subject } = document
    const size = bytes.length
    for (const tag of tags.length === 0 ? [undefined] : tags) {
      this.#deps.events.publish(request, { action: 'push', repository, digest, tag, mediaType, size })
    }
    return { digest, subject, tags }
  }

  /** A tag alone, or a manifest with all of its tags. */
  async remove(repository: string, reference: string, request: RegistryRequest): Promise<void> {
    const { catalogue, events } = this.#deps
    const { row, tag } = await this.find(repository, reference, request)
    const { digest, mediaType, size } = row
    if (tag === undefined) catalogue.manifests.remove(repository, digest)
    else catalogue.tags.remove(repository, tag)
    await catalogue.durable()
    events.publish(request, { action: 'delete', repository, digest, tag, mediaType, size })
  }

  /**
   * The blobs the manifest needs, all of them there and left alone by collection from now on. A manifest listed by an
   * index may be a blob; most are manifests.
   */
  async #claim(repository: string, document: ManifestDocument): Promise<Digest[]> {
    const { catalogue } = this.#deps
    const blobs = new Set<Digest>()
    for (const descriptor of document.blobs) {
      await this.#claimBlob(repository, descriptor)
      blobs.add(descriptor.digest)
    }
    for (const { digest } of document.foreign) {
      if (catalogue.links.get(repository, digest) !== undefined) blobs.add(digest)
    }
    for (const descriptor of document.children) {
      if (catalogue.manifests.get(repository, descriptor.digest) !== undefined) continue
      await this.#claimBlob(repository, descriptor)
      blobs.add(descriptor.digest)
    }
    return [...blobs]
  }

  async #claimBlob(repository: string, { digest, size }: Descriptor): Promise<void> {
    const { catalogue, blobs } = this.#deps
    const link = catalogue.links.get(repository, digest)
    if (link === undefined) throw contentMissing(digest)
    if (link.size !== size) {
      throw sizeInvalid(`${digest} has ${link.size} bytes, the manifest says ${size}`, { digest })
    }
    try {
      await blobs.touch(digest)
    } catch (error) {
      if (isKind(error, 'not_found')) throw contentMissing(digest)
      throw error
    }
  }

  #store(repository: string, { digest, bytes, tags, document, blobs }: Storing): void {
    const { catalogue } = this.#deps
    const now = this.#now()
    catalogue.transaction(() => {
      // What was claimed may have been unlinked, or a child deleted, since.
      const gone = blobs.find((blob) => !catalogue.links.touch(repository, blob, now))
      if (gone !== undefined) throw contentMissing(gone)
      const children = document.children
        .map((child) => child.digest)
        .filter((child) => !blobs.includes(child))
      for (const child of children) {
        if (catalogue.manifests.get(repository, child) === undefined) throw contentMissing(child)
        catalogue.manifests.touch(repository, child, now)
      }
      catalogue.repositories.pushed(repository, now)
      catalogue.manifests.put({ ...document, repository, digest, bytes, blobs, children, pushed: now })
      for (const tag of tags) catalogue.tags.put(repository, tag, digest, now)
    })
  }

  #now(): number {
    return this.#deps.clock.now().getTime()
  }
}

interface Storing {
  readonly digest: Digest
  readonly bytes: Uint8Array
  readonly tags: readonly string[]
  readonly document: ManifestDocument
  readonly blobs: readonly Digest[]
}

/** Checked names for what is pushed: the path's, or any number beside a digest. */
function tagsOf(reference: string, others: readonly string[]): readonly string[] {
  const tags = isDigestLike(reference) ? [...new Set(others)] : [reference]
  for (const tag of tags) checkTag(tag)
  if (tags.length > MAX_TAGS) throw invalid(`no more than ${MAX_TAGS} tags at once`, { code: 'TAG_INVALID' })
  return tags
}

function otherDigest(said: string, digest: Digest): Error {
  return invalid(`the manifest has the digest ${digest}, not ${said}`, { code: 'DIGEST_INVALID' })
}
