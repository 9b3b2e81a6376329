/**
 * What the engine asks of registries: the client side of the OCI distribution-spec 1.1 and of Docker's registry.
 * Everything a registry sends is a stranger's word: digests and sizes are checked here, on the bytes received.
 *
 *     const repository = client.repository({ domain: 'docker.io', path: 'library/alpine' }, { credentials })
 *     const { descriptor, bytes } = await repository.manifest('3.20', { signal })
 *     for await (const chunk of (await repository.blob(layer, { signal })).chunks) …
 *
 * Errors are EngineErrors: `unauthenticated`, `permission_denied`, `not_found` (also what may not be pulled: registries do
 * not say which), `resource_exhausted` (429), `unavailable` (cannot be reached, hangs, 5xx), `invalid_argument` (what was
 * sent is wrong: digest, size, document). Those of an answer have `details.status` and, from `Retry-After`,
 * `details.retryAfter` in milliseconds.
 */
import type { Digest } from '#base/digest.ts'
import type { Descriptor } from '#oci/image-spec.ts'

/** Who asks. All absent: anonymous. */
export interface Credentials {
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** A refresh token, from an earlier login. */
  readonly identityToken?: string | undefined
  /** Sent as Bearer token as it is. */
  readonly registryToken?: string | undefined
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined
}

export interface RepositoryName {
  /** As in a Reference: host with an optional port; `docker.io` for Docker Hub. */
  readonly domain: string
  readonly path: string
}

export interface RegistryClient {
  /** Nothing is sent yet. Connections, tokens and what is known about a host are shared between repositories. */
  repository(name: RepositoryName, options?: { readonly credentials?: Credentials | undefined }): Repository
  /** Asks the registry whether the credentials are good. `identityToken` is to be kept instead of the password. */
  login(
    domain: string,
    credentials: Credentials,
    options?: RequestOptions,
  ): Promise<{ readonly identityToken: string | undefined }>
  /** `/v1/search` of the host that `domain` names. */
  search(
    domain: string,
    query: { readonly term: string; readonly limit: number },
    options?: RequestOptions & { readonly credentials?: Credentials | undefined },
  ): Promise<readonly SearchResult[]>
}

/** A row of `/v1/search`. */
export interface SearchResult {
  readonly name: string
  readonly description: string
  readonly stars: number
  readonly official: boolean
  readonly automated: boolean
}

/** The bytes of a manifest or index, whose digest has been checked; nothing of it is parsed. */
export interface FetchedManifest {
  /** `mediaType` from Content-Type; `size` that of `bytes`. */
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
}

/** `tag`, or a digest. */
export type ManifestName = string

export interface Repository extends ReadableRepository, WritableRepository {
  readonly name: RepositoryName
}

export interface ReadableRepository {
  /** A HEAD, which does not count against pull limits. Undefined: no such manifest. */
  resolve(name: ManifestName, options?: RequestOptions): Promise<Descriptor | undefined>
  /** Refuses a body above the limits of image-spec.ts before it has read it. */
  manifest(name: ManifestName, options?: RequestOptions): Promise<FetchedManifest>
  /** A small blob (a config, an attestation) as a whole, checked; refused when it is larger than `limit`. */
  document(
    descriptor: Pick<Descriptor, 'digest' | 'size'>,
    options: RequestOptions & { readonly limit: number },
  ): Promise<Uint8Array>
  /**
   * The bytes of a blob from `offset` up to `end` (exclusive). NOT checked against the digest: whoever puts ranges
   * together does that. Exactly the bytes asked for come, or the iteration fails: a body cut short is `unavailable`,
   * and so is one that is silent for longer than the stall limit. Not retried within, but for 429 and 5xx before it begins.
   */
  blob(
    descriptor: Pick<Descriptor, 'digest' | 'size'>,
    options?: RequestOptions & { readonly offset?: number | undefined; readonly end?: number | undefined },
  ): Promise<BlobBody>
  tags(options?: RequestOptions): AsyncIterable<string>
  /** The referrers API, or the fallback tag where the registry has none. distribution-spec "Listing Referrers". */
  referrers(
    digest: Digest,
    options?: RequestOptions & { readonly artifactType?: string | undefined },
  ): Promise<readonly Descriptor[]>
}

export interface BlobBody {
  /**
   * Where the first chunk stands in the blob: `offset`, or 0 from a registry that does not know ranges (which then
   * sends the whole blob).
   */
  readonly offset: number
  readonly chunks: AsyncIterable<Uint8Array>
}

export interface WritableRepository {
  hasBlob(digest: Digest, options?: RequestOptions): Promise<boolean>
  /** True when the registry took the blob over from `from`, a repository path of the same registry. */
  mount(digest: Digest, from: string, options?: RequestOptions): Promise<boolean>
  /**
   * Sends a blob whose digest is known only at its end. Cut connections go on from what the registry says it has, as
   * far as `source` can start again there; the registry's own answer decides.
   */
  upload(
    source: UploadSource,
    options?: UploadOptions,
  ): Promise<{ readonly digest: Digest; readonly size: number }>
  putManifest(
    name: ManifestName,
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
    options?: RequestOptions,
  ): Promise<{ readonly digest: Digest }>
}

export interface UploadSource {
  /** Known beforehand, or computed while sending. */
  readonly digest?: Digest | undefined
  readonly size?: number | undefined
  /** The bytes from `offset` on; the same ones each time. */
  read(offset: number): AsyncIterable<Uint8Array>
}

export interface UploadOptions extends RequestOptions {
  /** Bytes that the registry has acknowledged or that are on their way. */
  readonly onProgress?: ((sent: number) => void) | undefined
}
