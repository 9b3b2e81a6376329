import type { Network, NetworkSummary } from '#api/generated/types.ts'
import { filtersQuery, type Filters } from './filters.ts'
import type { Transport } from './transport.ts'

/** Networks by name, id or prefix of an id. */
export class Networks {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async list(filters?: Filters): Promise<NetworkSummary[]> {
    return this.#transport.json('GET', '/networks', { query: { filters: filtersQuery(filters) } })
  }

  async inspect(ref: string, options: { readonly verbose?: boolean } = {}): Promise<Network> {
    return this.#transport.json('GET', `/networks/${encodeURIComponent(ref)}`, {
      query: { verbose: options.verbose },
    })
  }

  async prune(filters?: Filters): Promise<{ NetworksDeleted?: string[] | null }> {
    return this.#transport.json('POST', '/networks/prune', {
      query: { filters: filtersQuery(filters) },
    })
  }
}
