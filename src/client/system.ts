import type {
  BuildCache,
  ContainerSummary,
  EventMessage,
  ImageSummary,
  SystemInfo,
  SystemVersion,
  Volume,
} from '#api/generated/types.ts'
import type { Cancellable } from './containers.ts'
import { filtersQuery, type Filters } from './filters.ts'
import { jsonLines } from './json.ts'
import type { Ping, Transport } from './transport.ts'

/** What takes space, kind by kind. */
export interface DiskUsage {
  readonly LayersSize?: number | null
  readonly Images?: readonly ImageSummary[] | null
  readonly Containers?: readonly ContainerSummary[] | null
  readonly Volumes?: readonly Volume[] | null
  readonly BuildCache?: readonly BuildCache[] | null
}

/** The engine as a whole. */
export class System {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async ping(): Promise<Ping> {
    return this.#transport.ping()
  }

  async version(): Promise<SystemVersion> {
    return this.#transport.json('GET', '/version')
  }

  async info(): Promise<SystemInfo> {
    return this.#transport.json('GET', '/info')
  }

  async diskUsage(): Promise<DiskUsage> {
    return this.#transport.json('GET', '/system/df')
  }

  /** Times are Unix seconds with an optional fraction. Ends at `until`, or with the signal. */
  async *events(
    options: {
      readonly since?: string | undefined
      readonly until?: string | undefined
      readonly filters?: Filters
    } & Cancellable,
  ): AsyncGenerator<EventMessage> {
    const query = { since: options.since, until: options.until, filters: filtersQuery(options.filters) }
    const response = await this.#transport.open('GET', '/events', { query, signal: options.signal })
    yield* jsonLines(response) as AsyncGenerator<EventMessage>
  }
}
