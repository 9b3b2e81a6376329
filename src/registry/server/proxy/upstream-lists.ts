/** What upstreams list: tags of a repository, and what refers to a manifest. Kept in memory for as long as tags are. */
import type { Clock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { SingleFlight } from '#base/single-flight.ts'
import type { Descriptor } from '#oci/image-spec.ts'
import type { RegistryClient, Repository } from '../../client/repository.ts'
import { isAway, isRefusal, passedOn, upstreamHasNone } from './errors.ts'
import type { ProxiedRepository } from './upstreams.ts'

/** More names than this nobody pages through. */
const MAX_TAGS = 100_000
/** Entries of all lists together that are kept. */
const MAX_KEPT = 200_000

interface Kept {
  readonly list: readonly unknown[]
  readonly at: number
}

interface Asked {
  readonly signal?: AbortSignal | undefined
}

export class UpstreamLists {
  readonly #client: RegistryClient
  readonly #clock: Clock
  /** The oldest first. */
  readonly #kept = new Map<string, Kept>()
  #entries = 0
  readonly #asking = new SingleFlight<readonly unknown[]>()

  constructor(deps: { readonly client: RegistryClient; readonly clock: Clock }) {
    this.#client = deps.client
    this.#clock = deps.clock
  }

  /** In no order. Undefined: the upstream is away, and was not asked before. */
  async tags(proxied: ProxiedRepository, asked: Asked = {}): Promise<readonly string[] | undefined> {
    const fetch = async (): Promise<readonly string[]> => {
      const names: string[] = []
      for await (const name of this.#source(proxied).tags()) {
        names.push(name)
        if (names.length >= MAX_TAGS) break
      }
      return names
    }
    return (await this.#list(proxied, 'tags', fetch, asked)) as readonly string[] | undefined
  }

  async referrers(
    proxied: ProxiedRepository,
    digest: Digest,
    asked: Asked = {},
  ): Promise<readonly Descriptor[] | undefined> {
    const fetch = (): Promise<readonly Descriptor[]> => this.#source(proxied).referrers(digest)
    return (await this.#list(proxied, digest, fetch, asked)) as readonly Descriptor[] | undefined
  }

  async #list(
    proxied: ProxiedRepository,
    what: string,
    fetch: () => Promise<readonly unknown[]>,
    { signal }: Asked,
  ): Promise<readonly unknown[] | undefined> {
    const key = `${proxied.name} ${what}`
    const kept = this.#kept.get(key)
    const now = this.#clock.now().getTime()
    if (kept !== undefined && now - kept.at < proxied.upstream.ttl) return kept.list
    try {
      const list = await this.#asking.do(key, fetch, signal)
      this.#keep(key, { list, at: now })
      return list
    } catch (error) {
      signal?.throwIfAborted()
      if (isAway(error)) return kept?.list
      throw isRefusal(error) ? upstreamHasNone(proxied.name, error) : passedOn(error)
    }
  }

  #keep(key: string, kept: Kept): void {
    this.#drop(key)
    this.#kept.set(key, kept)
    this.#entries += sizeOf(kept)
    for (const oldest of this.#kept.keys()) {
      if (this.#entries <= MAX_KEPT) return
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key)
    if (kept !== undefined) this.#entries -= sizeOf(kept)
    this.#kept.delete(key)
  }

  #source({ source, upstream }: ProxiedRepository): Repository {
    return this.#client.repository(source, { credentials: upstream.credentials })
  }
}

/** An empty list takes room as well. */
function sizeOf({ list }: Kept): number {
  return list.length + 1
}
