import type { PlannedRemoval } from '#api/prune-plan.ts'
import { isKind } from '#base/errors.ts'
import { EngineError } from '#base/errors.ts'
import { filtersQuery, type Filters } from './filters.ts'
import type { Query, Transport } from './transport.ts'

/** The kinds to prune, each with the filters of its own prune; what is absent is left alone. */
export interface PruneWishes {
  readonly containers?: Filters
  readonly networks?: Filters
  readonly volumes?: Filters
  readonly images?: Filters
  readonly cache?: {
    readonly filters: Filters
    readonly all: boolean
    readonly reservedSpace?: number | undefined
    readonly maxUsedSpace?: number | undefined
    readonly minFreeSpace?: number | undefined
  }
}

/** What removals would take away, without doing them. Only engines of berth answer. */
export class RemovalPlans {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async prune({ containers, networks, volumes, images, cache }: PruneWishes): Promise<PlannedRemoval[]> {
    const text = (filters: Filters | undefined): string | undefined =>
      filters === undefined ? undefined : (filtersQuery(filters) ?? '{}')
    return this.#items('/berth/prune-plan', {
      containers: text(containers),
      networks: text(networks),
      volumes: text(volumes),
      images: text(images),
      cache: text(cache?.filters),
      all: cache?.all,
      'reserved-space': cache?.reservedSpace,
      'max-used-space': cache?.maxUsedSpace,
      'min-free-space': cache?.minFreeSpace,
    })
  }

  /** `not_found` and `conflict` as the removal itself would say. */
  async images(
    refs: readonly string[],
    { force, noPrune }: { readonly force?: boolean; readonly noPrune?: boolean },
  ): Promise<PlannedRemoval[]> {
    return this.#items('/berth/image-removal-plan', { ref: refs, force, noprune: noPrune })
  }

  async #items(path: string, query: Query): Promise<PlannedRemoval[]> {
    try {
      const { Items } = await this.#transport.json<{ Items: PlannedRemoval[] }>('GET', path, { query })
      return Items
    } catch (error) {
      if (isKind(error, 'not_found') && /page not found/.test(String(error))) {
        throw new EngineError(
          'not_implemented',
          'this engine cannot say what it would remove: it is not one of berth',
          {
            code: 'PLAN_UNKNOWN',
            cause: error,
          },
        )
      }
      throw error
    }
  }
}
