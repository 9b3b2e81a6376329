/** Manifests of upstreams: tags are asked for again after a while, by HEAD; digests never. */
import type { Clock } from '#base/clock.ts'
import { type Digest, isDigest } from '#base/digest.ts'
import { SingleFlight } from '#base/single-flight.ts'
import type { Descriptor } from '#oci/image-spec.ts'
import type { FetchedManifest, RegistryClient, Repository } from '../../client/repository.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import { cachedDocument } from './cached-document.ts'
import { CachedRows } from './cached-rows.ts'
import { isAway, isRefusal, passedOn, upstreamHasNoManifest, waitOf } from './errors.ts'
import type { ProxyStatistics } from './statistics.ts'
import type { ProxiedRepository } from './upstreams.ts'

export interface ManifestCacheDeps {
  readonly catalogue: Catalogue
  readonly client: RegistryClient
  readonly clock: Clock
  readonly statistics: ProxyStatistics
}

interface Asked {
  /** Ends the caller's wait. */
  readonly signal?: AbortSignal | undefined
}

/** What a name leads to. */
export interface Resolved {
  readonly descriptor: Descriptor
  /** The upstream was away: this is what it said before. RFC 7234 5.5.1 */
  readonly stale: boolean
}

/** An upstream that has just failed is left alone for so many milliseconds, where the cache has an answer. */
const RESPITE = 10_000
/** However long the upstream asks for. */
const LONGEST_RESPITE = 10 * 60_000

export class ManifestCache {
  readonly #deps: ManifestCacheDeps
  readonly #rows: CachedRows
  readonly #resolving = new SingleFlight<Resolved>()
  readonly #fetching = new SingleFlight<FetchedManifest>()
  /** Milliseconds, by domain. */
  readonly #awayUntil = new Map<string, number>()

  constructor(deps: ManifestCacheDeps) {
    this.#deps = deps
    this.#rows = new CachedRows(deps.catalogue)
  }

  /** For HEAD: nothing is fetched that does not have to be. `not_found` when the upstream has no such manifest. */
  async resolve(proxied: ProxiedRepository, reference: string, { signal }: Asked = {}): Promise<Resolved> {
    if (isDigest(reference)) {
      const kept = this.#kept(proxied, reference)
      if (kept !== undefined) return { descriptor: kept.descriptor, stale: false }
    }
    const known = isDigest(reference) ? undefined : this.#rows.tag(proxied.name, reference)
    if (known !== undefined) {
      const kept = this.#kept(proxied, known.manifest)
      const age = this.#now() - known.checked
      if (kept !== undefined && age < proxied.upstream.ttl)
        return { descriptor: kept.descriptor, stale: false }
      if (kept !== undefined && this.#isAway(proxied)) return { descriptor: kept.descriptor, stale: true }
    }
    return this.#resolving.do(
      `${proxied.name}:${reference}`,
      () => this.#ask(proxied, reference, known?.manifest),
      signal,
    )
  }

  async manifest(
    proxied: ProxiedRepository,
    reference: string,
    { signal }: Asked = {},
  ): Promise<FetchedManifest & { readonly stale: boolean }> {
    const { statistics } = this.#deps
    // A digest needs no HEAD before its GET.
    const { digest, stale } = isDigest(reference)
      ? { digest: reference, stale: false }
      : await this.resolve(proxied, reference, { signal }).then(({ descriptor, stale: old }) => ({
          digest: descriptor.digest,
          stale: old,
        }))
    const kept = this.#kept(proxied, digest)
    statistics.manifest(stale ? 'stale' : kept === undefined ? 'miss' : 'hit')
    const found =
      kept ??
      (await this.#fetching.do(`${proxied.name}@${digest}`, () => this.#fetch(proxied, digest), signal))
    if (!isDigest(reference) && kept === undefined) {
      this.#rows.confirm(proxied.name, reference, digest, this.#now())
    }
    return { ...found, stale }
  }

  async idle(): Promise<void> {
    await Promise.all([this.#resolving.idle(), this.#fetching.idle()])
  }

  async #ask(proxied: ProxiedRepository, reference: string, known: Digest | undefined): Promise<Resolved> {
    try {
      const descriptor = await this.#source(proxied).resolve(reference)
      if (descriptor === undefined) throw upstreamHasNoManifest(proxied.name, reference)
      this.#awayUntil.delete(proxied.source.domain)
      if (!isDigest(reference)) {
        this.#rows.confirm(proxied.name, reference, descriptor.digest, this.#now())
      }
      return { descriptor, stale: false }
    } catch (error) {
      const kept = known === undefined ? undefined : this.#kept(proxied, known)
      if (isAway(error) && kept !== undefined) {
        const respite = Math.min(Math.max(waitOf(error) ?? 0, RESPITE), LONGEST_RESPITE)
        this.#awayUntil.set(proxied.source.domain, this.#now() + respite)
        return { descriptor: kept.descriptor, stale: true }
      }
      if (!isRefusal(error)) throw passedOn(error)
      this.#rows.forgetTag(proxied.name, reference)
      throw upstreamHasNoManifest(proxied.name, reference, error)
    }
  }

  async #fetch(proxied: ProxiedRepository, digest: Digest): Promise<FetchedManifest> {
    try {
      const fetched = await this.#source(proxied).manifest(digest)
      this.#rows.put(cachedDocument(proxied.name, fetched, this.#now()))
      return fetched
    } catch (error) {
      throw isRefusal(error) ? upstreamHasNoManifest(proxied.name, digest, error) : passedOn(error)
    }
  }

  #kept({ name }: ProxiedRepository, digest: Digest): FetchedManifest | undefined {
    const { manifests } = this.#deps.catalogue
    const row = manifests.get(name, digest)
    const bytes = row === undefined ? undefined : manifests.bytes(name, digest)
    if (row === undefined || bytes === undefined) return undefined
    return { descriptor: { mediaType: row.mediaType, digest, size: row.size }, bytes }
  }

  #source({ source, upstream }: ProxiedRepository): Repository {
    return this.#deps.client.repository(source, { credentials: upstream.credentials })
  }

  #isAway({ source }: ProxiedRepository): boolean {
    return (this.#awayUntil.get(source.domain) ?? 0) > this.#now()
  }

  #now(): number {
    return this.#deps.clock.now().getTime()
  }
}
