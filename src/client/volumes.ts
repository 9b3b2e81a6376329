import type {
  ClusterVolumeSpec,
  Volume,
  VolumeCreateRequest,
  VolumeListResponse,
} from '#api/generated/types.ts'
import type { Readable } from 'node:stream'
import type { Cancellable } from './containers.ts'
import { filtersQuery, type Filters } from './filters.ts'
import type { Transport } from './transport.ts'
import { segment } from './segment.ts'

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

  /** Only for volumes of a cluster; `version` is that of the volume as it was read. */
  async update(name: string, spec: ClusterVolumeSpec, version: number): Promise<void> {
    await this.#transport.status('PUT', at(name), { query: { version }, json: { Spec: spec } })
  }

  async remove(name: string, options: { readonly force?: boolean } = {}): Promise<void> {
    await this.#transport.status('DELETE', at(name), { query: { force: options.force } })
  }

  async rename(name: string, to: string): Promise<void> {
    await this.#transport.status('POST', extension(name, '/rename'), { query: { name: to } })
  }

  /** A new volume with the files of another one. */
  async clone(name: string, to: string, { labels, signal }: Labelled): Promise<Volume> {
    const query = { name: to, labels: JSON.stringify(labels) }
    return this.#transport.json('POST', extension(name, '/clone'), { query, signal })
  }

  /** A tar archive. */
  async export(name: string, options: Cancellable = {}): Promise<Readable> {
    return this.#transport.open('GET', extension(name, '/export'), options)
  }

  /** A new volume with what is in a tar archive. */
  async import(name: string, tar: Readable, { labels, signal }: Labelled): Promise<Volume> {
    const query = { labels: JSON.stringify(labels) }
    return this.#transport.json('POST', extension(name, '/import'), { query, body: tar, signal })
  }

  /** Anonymous volumes only, unless the filter `all` is set. */
  async prune(
    filters?: Filters,
  ): Promise<{ VolumesDeleted?: string[] | null; SpaceReclaimed?: number | null }> {
    return this.#transport.json('POST', '/volumes/prune', { query: { filters: filtersQuery(filters) } })
  }
}

type Labelled = { readonly labels: Readonly<Record<string, string>> } & Cancellable

/** Berth's own, which Docker does not have. */
function extension(name: string, rest: string): string {
  return `/berth/volumes/${segment('volume', name)}${rest}`
}

function at(name: string): string {
  return `/volumes/${segment('volume', name)}`
}
