/** Deletes tags together with what nothing leads to without them, and says beforehand what that frees. */
import type { Digest } from '#base/digest.ts'
import { CollectionRows } from '../collection/collection-rows.ts'
import { rolledBack } from '../collection/collector.ts'
import { manifestUnknown } from '../content/errors.ts'
import type { Catalogue } from '../storage/catalogue.ts'

export interface TagDeletion {
  readonly tags: readonly string[]
  /** Manifests that go along. */
  readonly manifests: readonly Digest[]
  /** Bytes that are freed: manifests now, blobs by the next collection after the grace period. */
  readonly bytes: number
}

/** Later than everything: nothing is kept for having been touched. */
const NEVER = Number.MAX_SAFE_INTEGER

/** What deleting `tags` would do: it is done, measured, and taken back. Throws MANIFEST_UNKNOWN for a tag that is not there. */
export function planTagDeletion(
  catalogue: Catalogue,
  repository: string,
  tags: readonly string[],
): TagDeletion {
  const missing = tags.find((tag) => catalogue.tags.get(repository, tag) === undefined)
  if (missing !== undefined) throw manifestUnknown(missing)
  const rows = new CollectionRows(catalogue.db)
  return rolledBack(catalogue, () => {
    // What is dead already is not freed by this deletion.
    rows.deleteUntagged(repository, NEVER)
    rows.deleteUnneededLinks(repository, NEVER)
    for (const tag of tags) catalogue.tags.remove(repository, tag)
    const manifests = rows.deleteUntagged(repository, NEVER)
    const links = rows.deleteUnneededLinks(repository, NEVER)
    const gone = new Set(rows.unlinked(links.map(({ blob }) => blob)))
    const blobs = links.filter(({ blob }) => gone.has(blob))
    return {
      tags,
      manifests: manifests.map(({ digest }) => digest),
      bytes: [...manifests, ...blobs].reduce((sum, { size }) => sum + size, 0),
    }
  })
}

export function deleteTags(catalogue: Catalogue, repository: string, tags: readonly string[]): TagDeletion {
  return catalogue.transaction(() => {
    const deletion = planTagDeletion(catalogue, repository, tags)
    for (const tag of deletion.tags) catalogue.tags.remove(repository, tag)
    for (const digest of deletion.manifests) catalogue.manifests.remove(repository, digest)
    return deletion
  })
}
