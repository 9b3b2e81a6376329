import { Section } from '../settings/section.ts'

/** When unused content goes. Times are milliseconds. */
export interface CollectionSettings {
  /** Between two collections; 0: only when asked. */
  readonly interval: number
  /** What was written or touched within it stays. */
  readonly grace: number
  /** Manifests that no tag leads to go as well. */
  readonly deleteUntagged: boolean
  /** Uploads that nobody has continued for so long go. */
  readonly uploads: number
}

const HOUR = 3_600_000

export const defaultCollection: CollectionSettings = {
  interval: 24 * HOUR,
  grace: HOUR,
  deleteUntagged: false,
  uploads: 168 * HOUR,
}

/** The setting `collection`: `{ interval?: "24h", grace?: "1h", deleteUntagged?: false, uploads?: "168h" }`. */
export function readCollection(value: unknown): CollectionSettings {
  if (value === undefined) return defaultCollection
  const section = new Section(value, 'collection')
  const settings = {
    interval: section.duration('interval') ?? defaultCollection.interval,
    grace: section.duration('grace') ?? defaultCollection.grace,
    deleteUntagged: section.flag('deleteUntagged') ?? defaultCollection.deleteUntagged,
    uploads: section.duration('uploads') ?? defaultCollection.uploads,
  }
  section.end()
  return settings
}
