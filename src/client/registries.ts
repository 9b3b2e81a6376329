import type { AuthResponse, DistributionInspect } from '#api/generated/types.ts'
import type { RegistryAuth } from '#api/registry-auth.ts'
import type { Cancellable } from './containers.ts'
import { filtersQuery, type Filters } from './filters.ts'
import type { Transport } from './transport.ts'

/** A repository that a search found. */
export interface SearchItem {
  readonly name?: string | null
  readonly description?: string | null
  readonly star_count?: number | null
  readonly is_official?: boolean | null
  readonly is_automated?: boolean | null
}

/** Registries, as the engine sees them. `auth` is the base64 text of `X-Registry-Auth`. */
export class Registries {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Asks the registry `serveraddress` about the credentials; `unauthenticated` when they are wrong. */
  async login(credentials: RegistryAuth, options: Cancellable = {}): Promise<AuthResponse> {
    const answer = await this.#transport.json<AuthResponse | undefined>('POST', '/auth', {
      json: credentials,
      signal: options.signal,
    })
    return answer ?? {}
  }

  /** `term` may begin with the host of a registry. */
  async search(
    term: string,
    options: {
      readonly limit?: number | undefined
      readonly filters?: Filters
      readonly auth?: string | undefined
    } & Cancellable = {},
  ): Promise<SearchItem[]> {
    const { limit, filters, auth, signal } = options
    const items = await this.#transport.json<SearchItem[] | null>('GET', '/images/search', {
      query: { term, limit, filters: filtersQuery(filters) },
      headers: authHeaders(auth),
      signal,
    })
    return items ?? []
  }

  /** Nothing is fetched but the manifest. */
  async inspect(
    name: string,
    options: { readonly auth?: string | undefined } & Cancellable = {},
  ): Promise<DistributionInspect> {
    return this.#transport.json('GET', `/distribution/${encodeURI(name)}/json`, {
      headers: authHeaders(options.auth),
      signal: options.signal,
    })
  }
}

/** The header that says who asks; none for nobody. */
export function authHeaders(auth: string | undefined): Readonly<Record<string, string>> {
  return auth === undefined ? {} : { 'X-Registry-Auth': auth }
}
