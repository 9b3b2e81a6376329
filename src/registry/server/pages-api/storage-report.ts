import { LAST_COLLECTION } from '../collection/collector.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import { namespaceOf, type Quota } from '../operations/quota.ts'
import { timeOf } from './query.ts'
import type { CollectionSummary } from '../collection/report.ts'

/** Where the bytes of a registry are. Blobs are counted once, however many repositories hold them. */
export interface StorageTotals {
  readonly repositories: number
  readonly manifests: number
  readonly tags: number
  readonly blobs: number
  /** Bytes of blobs and manifests. */
  readonly bytes: number
  readonly uploads: number
}

/** Cheap enough for every scrape: counts of rows, no look at files. */
export function storageTotals({ db, uploads }: Catalogue): StorageTotals {
  const row = db.get<Omit<StorageTotals, 'uploads'>>(
    `SELECT (SELECT count(*) FROM repositories) AS repositories,
            (SELECT count(*) FROM manifests) AS manifests,
            (SELECT count(*) FROM tags) AS tags,
            (SELECT count(DISTINCT blob) FROM links) AS blobs,
            (SELECT coalesce(sum(size), 0) FROM (SELECT DISTINCT blob, size FROM links))
              + (SELECT coalesce(sum(size), 0) FROM manifests) AS bytes`,
  )
  const nothing = { repositories: 0, manifests: 0, tags: 0, blobs: 0, bytes: 0 }
  return { ...(row ?? nothing), uploads: uploads.count() }
}

/** The totals, the namespaces with what they may use, and the last collection. */
export function storageReport(catalogue: Catalogue, quota: Quota): object {
  const names = catalogue.db.all<{ name: string }>('SELECT name FROM repositories').map(({ name }) => name)
  const namespaces = [...new Set(names.map(namespaceOf))].toSorted()
  return {
    ...storageTotals(catalogue),
    namespaces: namespaces.map((name) => ({
      name,
      used: quota.used(name),
      allowed: quota.limitOf(name) ?? null,
    })),
    last_collection: lastCollection(catalogue) ?? null,
  }
}

function lastCollection({ settings }: Catalogue): object | undefined {
  const summary = settings.get(LAST_COLLECTION) as CollectionSummary | undefined
  if (summary === undefined) return undefined
  const { started, ended, removed, freed, blobs } = summary
  return { started: timeOf(started), ended: timeOf(ended), removed, freed, blobs }
}
