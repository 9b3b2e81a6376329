/** What is read from one server. distribution-spec "Pull", "Content Discovery" */
import { type Digest, hexOf, isDigest, digestOf } from '#base/digest.ts'
import { type Descriptor, mediaTypes, parseIndex } from '#oci/image-spec.ts'
import { openBlob } from './blob-body.ts'
import { badAnswer, type Subject, wrongDigest } from './errors.ts'
import type { RegistryExchange, RegistryRequest } from './exchange.ts'
import { nextLink } from './links.ts'
import { acceptManifests, descriptorOf, readManifest } from './manifests.ts'
import type {
  BlobBody,
  FetchedManifest,
  ManifestName,
  RepositoryName,
  ReadableRepository,
  RequestOptions,
} from './repository.ts'
import { repositoryScope } from './scopes.ts'

const MAX_TAGS = 1_000_000
const MAX_REFERRERS = 10_000
const TAGS_PER_PAGE = 1000
const MAX_PAGE = 16 << 20
const MAX_PAGES = 10_000
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

/** Methods reject with `not_found` and the like; which server to ask next is for the caller to say. */
export class RepositoryReads implements ReadableRepository {
  readonly #exchange: RegistryExchange
  readonly #name: RepositoryName
  readonly #scopes: readonly string[]

  constructor(exchange: RegistryExchange, name: RepositoryName) {
    this.#exchange = exchange
    this.#name = name
    this.#scopes = [repositoryScope(name.path, 'pull')]
  }

  async resolve(name: ManifestName, options: RequestOptions = {}): Promise<Descriptor | undefined> {
    {
      using reply = await this.#exchange.send({
        ...this.#manifestRequest(name, options),
        method: 'HEAD',
        accept: [404, 405],
      })
      if (reply.status === 404) return undefined
      const descriptor = reply.status === 405 ? undefined : descriptorOf(reply, name)
      if (descriptor !== undefined) return descriptor
    }
    return (await this.manifest(name, options)).descriptor
  }

  async manifest(name: ManifestName, options: RequestOptions = {}): Promise<FetchedManifest> {
    using reply = await this.#exchange.send(this.#manifestRequest(name, options))
    return await readManifest(reply, name)
  }

  async document(
    { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
    { limit, signal }: RequestOptions & { readonly limit: number },
  ): Promise<Uint8Array> {
    const { host } = this.#exchange.endpoint
    if (size > limit)
      throw badAnswer(host, `blob ${digest} of ${size} bytes is larger than the ${limit} allowed`)
    using reply = await this.#exchange.send({ ...this.#blobRequest(digest), retry: 'always', signal })
    const bytes = await reply.bytes(size)
    if (bytes.length !== size) throw badAnswer(host, `blob ${digest} has ${bytes.length} bytes, want ${size}`)
    const got = digestOf(bytes)
    if (got !== digest) throw wrongDigest(host, digest, got)
    return bytes
  }

  blob(
    descriptor: Pick<Descriptor, 'digest' | 'size'>,
    options: Parameters<ReadableRepository['blob']>[1] = {},
  ): Promise<BlobBody> {
    return openBlob(this.#exchange, this.#blobRequest(descriptor.digest), descriptor, options)
  }

  async *tags({ signal }: RequestOptions = {}): AsyncGenerator<string> {
    const path = `/v2/${this.#name.path}/tags/list?n=${TAGS_PER_PAGE}`
    let count = 0
    for await (const page of this.#pages(path, this.#subject(), signal)) {
      const { tags } = page as { readonly tags?: unknown }
      if (tags !== undefined && tags !== null && !Array.isArray(tags))
        throw this.#bad('its list of tags is none')
      for (const tag of (tags ?? []) as readonly unknown[]) {
        if (typeof tag !== 'string' || !TAG.test(tag))
          throw this.#bad('its list of tags holds what is no tag')
        count += 1
        if (count > MAX_TAGS) throw this.#bad(`it has more than ${MAX_TAGS} tags`)
        yield tag
      }
    }
  }

  async referrers(
    digest: Digest,
    options: RequestOptions & { readonly artifactType?: string | undefined } = {},
  ): Promise<readonly Descriptor[]> {
    const { artifactType, signal } = options
    const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`
    const path = `/v2/${this.#name.path}/referrers/${digest}${filter}`
    const found: Descriptor[] = []
    for await (const page of this.#pages(path, this.#subject(), signal, [404, 405, 400])) {
      if (page === undefined) found.push(...(await this.#taggedReferrers(digest, signal)))
      else found.push(...parseIndex(Buffer.from(JSON.stringify(page))).manifests)
      if (found.length > MAX_REFERRERS) throw this.#bad(`an image has more than ${MAX_REFERRERS} referrers`)
    }
    return artifactType === undefined ? found : found.filter((one) => one.artifactType === artifactType)
  }

  /** distribution-spec "Referrers Tag Schema" */
  async #taggedReferrers(digest: Digest, signal: AbortSignal | undefined): Promise<readonly Descriptor[]> {
    using reply = await this.#exchange.send({
      ...this.#manifestRequest(`sha256-${hexOf(digest)}`, { signal }),
      accept: [404],
    })
    if (reply.status === 404) return []
    const { bytes, descriptor } = await readManifest(reply, '')
    return descriptor.mediaType === mediaTypes.ociIndex ? parseIndex(bytes).manifests : []
  }

  /** Undefined instead of a page with a status of `absent`. */
  async *#pages(
    path: string,
    subject: Subject,
    signal: AbortSignal | undefined,
    absent: readonly number[] = [],
  ): AsyncGenerator<object | undefined> {
    const scopes = this.#scopes
    let target: string | URL | undefined = path
    for (let pages = 0; target !== undefined; pages += 1) {
      if (pages === MAX_PAGES) throw this.#bad(`a list has more than ${MAX_PAGES} pages`)
      const request: RegistryRequest = {
        method: 'GET',
        target,
        scopes,
        retry: 'always',
        subject,
        signal,
        accept: absent,
      }
      using reply = await this.#exchange.send(request)
      if (absent.includes(reply.status)) {
        yield undefined
        return
      }
      const bytes = await reply.bytes(MAX_PAGE)
      const next = nextLink(reply.headers['link'])
      target = next === undefined ? undefined : this.#exchange.follow(reply, next, 'Link')
      yield this.#object(bytes)
    }
  }

  #object(bytes: Uint8Array): object {
    let document: unknown
    try {
      document = JSON.parse(new TextDecoder().decode(bytes))
    } catch (error) {
      throw this.#bad('its list is not valid JSON', error)
    }
    if (typeof document !== 'object' || document === null) throw this.#bad('its list is no object')
    return document
  }

  #manifestRequest(name: ManifestName, { signal }: RequestOptions): RegistryRequest {
    if (!isDigest(name) && !TAG.test(name)) throw this.#bad(`"${name}" is neither a tag nor a digest`)
    return {
      method: 'GET',
      target: `/v2/${this.#name.path}/manifests/${name}`,
      headers: { accept: acceptManifests },
      scopes: this.#scopes,
      retry: 'always',
      subject: this.#subject(name),
      signal,
    }
  }

  #blobRequest(digest: Digest): RegistryRequest {
    return {
      method: 'GET',
      target: `/v2/${this.#name.path}/blobs/${digest}`,
      scopes: this.#scopes,
      retry: 'status',
      subject: this.#subject(),
    }
  }

  #subject(reference?: string): Subject {
    return { registry: this.#name.domain, repository: this.#name, reference, action: 'pull' }
  }

  #bad(message: string, cause?: unknown): Error {
    return badAnswer(this.#exchange.endpoint.host, message, cause)
  }
}
