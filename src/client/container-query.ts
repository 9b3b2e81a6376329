import type {
  ContainerInspectResponse,
  ContainerStatsResponse,
  ContainerSummary,
  ContainerTopResponse,
  FilesystemChange,
} from '#api/generated/types.ts'
import type { ApiVersion } from '#api/version.ts'
import { at, type Cancellable } from './containers.ts'
import { filtersQuery, type Filters } from './filters.ts'
import { jsonLines } from './json.ts'
import type { Transport } from './transport.ts'

/** What only looks at containers. */
export class ContainerQuery {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Newest first; only running ones unless `all`, `limit` or a status filter says otherwise. */
  async list(
    options: {
      readonly all?: boolean
      readonly limit?: number | undefined
      readonly size?: boolean
      readonly filters?: Filters
    } = {},
  ): Promise<ContainerSummary[]> {
    const { all, limit, size } = options
    const query = { all, limit, size, filters: filtersQuery(options.filters) }
    return this.#transport.json('GET', '/containers/json', { query })
  }

  /** `version` asks for the fields that this version of the API has. */
  async inspect(
    ref: string,
    options: { readonly size?: boolean; readonly version?: ApiVersion } = {},
  ): Promise<ContainerInspectResponse> {
    const { size, version } = options
    return this.#transport.json('GET', at(ref, '/json'), { query: { size }, version })
  }

  async top(ref: string, psArgs?: string): Promise<ContainerTopResponse> {
    return this.#transport.json('GET', at(ref, '/top'), { query: { ps_args: psArgs } })
  }

  async changes(ref: string): Promise<FilesystemChange[]> {
    return (await this.#transport.json<FilesystemChange[] | null>('GET', at(ref, '/changes'))) ?? []
  }

  /** A sample per second until the container is gone or the signal comes; a single one without `stream`. */
  async *stats(
    ref: string,
    options: { readonly stream: boolean } & Cancellable,
  ): AsyncGenerator<ContainerStatsResponse> {
    const { stream, signal } = options
    const response = await this.#transport.open('GET', at(ref, '/stats'), {
      query: { stream: stream ? 1 : 0 },
      signal,
    })
    yield* jsonLines(response) as AsyncGenerator<ContainerStatsResponse>
  }
}
