import type { Clock } from '#base/clock.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import { LAST_COLLECTION } from '../collection/collector.ts'
import type { CollectionSummary } from '../collection/report.ts'
import type { Labels, Metrics } from '../metrics/metrics.ts'
import { type StorageTotals, storageTotals } from '../pages-api/storage-report.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'

/** Metrics that are read when they are asked for. */
export function addGauges(
  metrics: Metrics,
  deps: { readonly catalogue: Catalogue; readonly clock: Clock; readonly webhooks: Webhooks },
): void {
  const { catalogue, webhooks } = deps
  const totals = remembered(() => storageTotals(catalogue), deps.clock)
  const total = (name: string, help: string, key: keyof StorageTotals): void =>
    metrics.gauge(`berth_registry_${name}`, help, () => [[{}, totals()[key]]])
  total('repositories', 'Repositories.', 'repositories')
  total('manifests', 'Manifests and indexes.', 'manifests')
  total('tags', 'Tags.', 'tags')
  total('blobs', 'Blobs that repositories hold, each counted once.', 'blobs')
  total('storage_bytes', 'Bytes of blobs and manifests.', 'bytes')
  total('uploads_open', 'Uploads that were begun and have not ended.', 'uploads')
  metrics.gauge('berth_registry_webhooks_pending', 'Notifications that wait.', () =>
    [...webhooks.pending()].map(([endpoint, count]) => [{ endpoint }, count] as const),
  )
  const last = (): CollectionSummary | undefined =>
    catalogue.settings.get(LAST_COLLECTION) as CollectionSummary | undefined
  metrics.gauge('berth_registry_collection_ended_seconds', 'When garbage was last collected.', () =>
    present(last(), ({ ended }) => ended / 1000),
  )
  metrics.gauge('berth_registry_collection_freed_bytes', 'What the last collection freed.', () =>
    present(last(), ({ freed }) => freed),
  )
  metrics.gauge('berth_registry_collection_removed', 'What the last collection removed.', () =>
    Object.entries(last()?.removed ?? {}).map(([kind, count]) => [{ kind }, count] as const),
  )
}

/** The same answer for a second: one scrape asks several times. */
function remembered<T>(read: () => T, clock: Clock): () => T {
  let last: { readonly value: T; readonly at: number } | undefined
  return () => {
    const at = clock.now().getTime()
    if (last === undefined || at - last.at >= 1000) last = { value: read(), at }
    return last.value
  }
}

function present<T>(value: T | undefined, read: (value: T) => number): (readonly [Labels, number])[] {
  return value === undefined ? [] : [[{}, read(value)]]
}
