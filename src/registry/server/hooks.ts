import type { Digest } from '#base/digest.ts'
import type { Descriptor } from '#oci/image-spec.ts'

/** What a cache, quotas and rules add to pulls and pushes. All of it may be left out. */
export interface Hooks {
  /** The repository that is meant, asked before anything else: a cache has one by several names. */
  repositoryOf?(repository: string, query: URLSearchParams): string
  /**
   * Before a manifest is looked up: a pull-through cache brings it, or a newer one of that tag, into the catalogue.
   * A rejection is the answer; what cannot be had upstream but is here is served by not rejecting.
   */
  beforeManifest?(
    repository: string,
    reference: string,
    options: { readonly signal: AbortSignal },
  ): Promise<ManifestNote | undefined>
  /** Names of tags in a cached repository, in any order. Undefined: those in the catalogue. */
  listTags?(
    repository: string,
    options: { readonly signal: AbortSignal },
  ): Promise<readonly string[] | undefined>
  /** What refers to a manifest of a cached repository. Undefined: what is in the catalogue. */
  listReferrers?(
    repository: string,
    subject: Digest,
    options: { readonly signal: AbortSignal },
  ): Promise<readonly Descriptor[] | undefined>
  /** A blob that the repository does not hold: links it (after bringing it), or streams it. Undefined: unknown. */
  missingBlob?(
    repository: string,
    digest: Digest,
    options: { readonly signal: AbortSignal },
  ): Promise<FetchedBlob | undefined>
  /**
   * Before bytes are taken or linked. `bytes` is what a Content-Length or a descriptor says, undefined when nobody knows.
   * A rejection is the answer (quota: `permission_denied`; a mirror: `not_implemented`).
   */
  beforePush?(repository: string, push: PendingPush): Promise<void>
  /** Bytes that a blob of unknown length may have at most; undefined: as many as the registry takes. */
  roomFor?(repository: string): number | undefined
}

/** What is said along with a manifest. */
export interface ManifestNote {
  readonly headers: Readonly<Record<string, string>>
}

export type PendingPush =
  | { readonly kind: 'blob'; readonly bytes: number | undefined }
  | { readonly kind: 'mount'; readonly bytes: number }
  | {
      readonly kind: 'manifest'
      readonly bytes: number
      readonly digest: Digest
      readonly tags: readonly string[]
    }

export interface FetchedBlob {
  readonly size: number
  /** Called at most once, and not for HEAD. */
  read(range?: { readonly offset: number; readonly end: number }): Promise<AsyncIterable<Uint8Array>>
}
