/** Registries in memory behind the client's interface: what was sent is there, and `requests` says what was asked. */
import { type Digest, digestOf } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import type { Descriptor, Index, Manifest } from '#oci/image-spec.ts'
import type {
  Credentials,
  RegistryClient,
  Repository,
  RepositoryName,
  RequestOptions,
  SearchResult,
  UploadOptions,
  UploadSource,
} from '#registry/client/repository.ts'

interface StoredManifest {
  readonly bytes: Uint8Array
  readonly mediaType: string
}

export class FakeRepository implements Repository {
  readonly name: RepositoryName
  readonly blobs = new Map<string, Uint8Array>()
  readonly manifests = new Map<string, StoredManifest>()
  readonly #registry: FakeRegistries

  constructor(name: RepositoryName, registry: FakeRegistries) {
    this.name = name
    this.#registry = registry
  }

  async hasBlob(digest: Digest): Promise<boolean> {
    await this.#ask(`HEAD blob ${digest}`)
    return this.blobs.has(digest)
  }

  async mount(digest: Digest, from: string): Promise<boolean> {
    await this.#ask(`mount ${digest} from ${from}`)
    const blob = this.#registry.at(`${this.name.domain}/${from}`).blobs.get(digest)
    if (blob !== undefined) this.blobs.set(digest, blob)
    return blob !== undefined
  }

  /** Reads the source twice, as after a cut, and compares. */
  async upload(
    source: UploadSource,
    options: UploadOptions = {},
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    const bytes = Buffer.concat(await Array.fromAsync(source.read(0)))
    options.signal?.throwIfAborted()
    const half = bytes.length >> 1
    const again = Buffer.concat(await Array.fromAsync(source.read(half)))
    if (!again.equals(bytes.subarray(half))) throw new Error('the second reading gave other bytes')
    const digest = digestOf(bytes)
    await this.#ask(`upload ${digest}`)
    if (source.digest !== undefined && source.digest !== digest) throw new Error('wrong digest')
    this.blobs.set(digest, bytes)
    return { digest, size: bytes.length }
  }

  async putManifest(
    name: string,
    { bytes, mediaType }: StoredManifest,
  ): Promise<{ readonly digest: Digest }> {
    await this.#ask(`put ${name}`)
    const document = JSON.parse(Buffer.from(bytes).toString()) as Manifest | Index
    const needed =
      'manifests' in document
        ? document.manifests.filter(({ digest }) => !this.manifests.has(digest))
        : [document.config, ...document.layers].filter(({ digest }) => !this.blobs.has(digest))
    if (needed.length > 0) throw new Error(`${needed[0]?.digest} is not there`)
    const digest = digestOf(bytes)
    this.manifests.set(name, { bytes, mediaType }).set(digest, { bytes, mediaType })
    return { digest }
  }

  async resolve(name: string): Promise<Descriptor | undefined> {
    await this.#ask(`HEAD ${name}`)
    const found = this.manifests.get(name)
    if (found === undefined) return undefined
    return { mediaType: found.mediaType, digest: digestOf(found.bytes), size: found.bytes.length }
  }

  async manifest(name: string): Promise<{ readonly descriptor: Descriptor; readonly bytes: Uint8Array }> {
    await this.#ask(`GET ${name}`)
    const found = this.manifests.get(name)
    if (found === undefined) {
      throw new EngineError('not_found', `manifest unknown: ${name}`, { code: 'MANIFEST_UNKNOWN' })
    }
    const { bytes, mediaType } = found
    return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } }
  }

  async document({ digest }: Pick<Descriptor, 'digest'>): Promise<Uint8Array> {
    const blob = this.blobs.get(digest)
    if (blob === undefined) throw new EngineError('not_found', 'blob unknown', { code: 'BLOB_UNKNOWN' })
    return blob
  }

  async blob({ digest }: Pick<Descriptor, 'digest'>, options: { readonly offset?: number | undefined } = {}) {
    const bytes = await this.document({ digest })
    const offset = options.offset ?? 0
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(offset)
    }
    return { offset, chunks: chunks() }
  }

  async *tags(): AsyncGenerator<string> {
    yield* [...this.manifests.keys()].filter((name) => !name.includes(':')).toSorted()
  }

  async referrers(): Promise<readonly Descriptor[]> {
    return []
  }

  async #ask(what: string): Promise<void> {
    const request = `${this.name.domain}/${this.name.path}: ${what}`
    this.#registry.requests.push(request)
    await this.#registry.hook?.(request)
  }
}

export class FakeRegistries implements RegistryClient {
  readonly requests: string[] = []
  readonly credentials: (Credentials | undefined)[] = []
  results: readonly SearchResult[] = []
  /** Before each request: may throw, or wait. */
  hook: ((request: string) => Promise<void> | void) | undefined
  readonly #repositories = new Map<string, FakeRepository>()

  repository(
    name: RepositoryName,
    options: { readonly credentials?: Credentials | undefined } = {},
  ): Repository {
    this.credentials.push(options.credentials)
    return this.at(`${name.domain}/${name.path}`)
  }

  /** By `domain/path`. */
  at(name: string): FakeRepository {
    const slash = name.indexOf('/')
    const known =
      this.#repositories.get(name) ??
      new FakeRepository({ domain: name.slice(0, slash), path: name.slice(slash + 1) }, this)
    this.#repositories.set(name, known)
    return known
  }

  /** Digests of layers and configs that were sent. */
  uploads(): string[] {
    return this.requests.filter((request) => request.includes(': upload '))
  }

  async login(
    domain: string,
    credentials: Credentials,
  ): Promise<{ readonly identityToken: string | undefined }> {
    this.requests.push(`${domain}: login ${credentials.username ?? ''}`)
    if (credentials.password === 'wrong') {
      throw new EngineError('unauthenticated', 'unauthorized: incorrect username or password', {
        code: 'REGISTRY_UNAUTHORIZED',
      })
    }
    return { identityToken: credentials.password === 'for-token' ? 'a-token' : undefined }
  }

  async search(
    domain: string,
    query: { readonly term: string; readonly limit: number },
    options: RequestOptions & { readonly credentials?: Credentials | undefined } = {},
  ): Promise<readonly SearchResult[]> {
    this.requests.push(`${domain}: search ${query.term} ${query.limit}`)
    this.credentials.push(options.credentials)
    return this.results
  }
}
