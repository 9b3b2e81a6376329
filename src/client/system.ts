import type { DiskAccount } from '#api/disk-account.ts'
import type { Finding } from '#api/finding.ts'
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
import type { ProgressMessage } from './images.ts'
import { jsonLines } from './json.ts'
import type { Ping, Transport } from './transport.ts'

/** What takes space, kind by kind. */
export interface DiskUsage {
  readonly LayersSize?: number | null
  readonly Images?: readonly ImageSummary[] | null
  readonly Containers?: readonly ContainerSummary[] | null
  readonly Volumes?: readonly Volume[] | null
  readonly BuildCache?: readonly BuildCache[] | null
  readonly Berth?: DiskAccount | null
}

/** A step of a check, how far it is, a finding, or (last) what came of it. */
export interface FsckMessage extends ProgressMessage {
  readonly finding?: Finding
  readonly summary?: { readonly findings: number; readonly repaired: number }
}

export interface EventsOptions extends Cancellable {
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly filters?: Filters
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

  /** Without `all`, only what no build has used. */
  async pruneBuildCache(options: {
    readonly all: boolean
    readonly filters?: Filters
  }): Promise<{ CachesDeleted?: string[] | null; SpaceReclaimed?: number | null }> {
    const query = { all: options.all, filters: filtersQuery(options.filters) }
    return this.#transport.json('POST', '/build/prune', { query })
  }

  /** Berth alone: checks everything that is stored while the engine works. Without `repair` nothing is changed. */
  async *fsck(
    options: {
      readonly repair: boolean
      /** Who asks registries for damaged layers: the base64 text of `X-Registry-Config`. */
      readonly auths?: string | undefined
    } & Cancellable,
  ): AsyncGenerator<FsckMessage> {
    const { repair, auths, signal } = options
    const headers = auths === undefined ? {} : { 'X-Registry-Config': auths }
    const response = await this.#transport.open('POST', '/berth/fsck', { query: { repair }, headers, signal })
    yield* jsonLines(response) as AsyncGenerator<FsckMessage>
  }

  /** Times are Unix seconds with an optional fraction. Ends at `until`, or with the signal. */
  async *events(options: EventsOptions): AsyncGenerator<EventMessage> {
    yield* await this.openEvents(options)
  }

  /** The same, but resolves when the engine listens: no event after that is missed. */
  async openEvents(options: EventsOptions): Promise<AsyncGenerator<EventMessage>> {
    const query = { since: options.since, until: options.until, filters: filtersQuery(options.filters) }
    const response = await this.#transport.open('GET', '/events', { query, signal: options.signal })
    return jsonLines(response) as AsyncGenerator<EventMessage>
  }
}
