import type { Volume, VolumeCreateRequest, VolumeListResponse } from '#api/generated/types.ts'
import { filtersQuery, type Filters } from './filters.ts'
import type { Transport } from './transport.ts'

/** Volumes by name. */
export class Volumes {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async list(filters?: Filters): Promise<VolumeListResponse> {
    return this.#transport.json('GET', '/volumes', { query: { filters: filtersQuery(filters) } })
  }

  /** Returns the existing volume when there is one of this name and driver. */
  async create(body: VolumeCreateRequest): Promise<Volume> {
    return this.#transport.json('POST', '/volumes/create', { json: body })
  }

  async inspect(name: string): Promise<Volume> {
    return this.#transport.json('GET', at(name))
  }

  async remove(name: string, options: { readonly force?: boolean } = {}): Promise<void> {
    await this.#transport.status('DELETE', at(name), { query: { force: options.force } })
  }

  /** Anonymous volumes only, unless the filter `all` is set. */
  async prune(
    filters?: Filters,
  ): Promise<{ VolumesDeleted?: string[] | null; SpaceReclaimed?: number | null }> {
    return this.#transport.json('POST', '/volumes/prune', { query: { filters: filtersQuery(filters) } })
  }
}

function at(name: string): string {
  return `/volumes/${encodeURIComponent(name)}`
}
