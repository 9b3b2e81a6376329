import type { Digest } from '#base/digest.ts'
import type { Descriptor } from '#oci/image-spec.ts'
import type { IngestUsage } from '#store/ingests/ingests.ts'
import { noSpace } from './errors.ts'

/** What compressed layers usually become, at least; the exact size is known only when they have. */
const USUAL_RATIO = 2

/** Refuses, before anything is fetched, what cannot fit: `resource_exhausted` that says how much is needed. */
export function checkSpace(
  missing: readonly Pick<Descriptor, 'digest' | 'size' | 'mediaType'>[],
  have: readonly IngestUsage[],
  free: number,
): void {
  const stored = new Map<Digest, number>(have.map((usage) => [usage.digest, usage.stored]))
  const needed = missing.reduce((sum, { digest, size, mediaType }) => {
    const unpacked = size * (/gzip|zstd/.test(mediaType) ? USUAL_RATIO : 1)
    return sum + Math.max(size - (stored.get(digest) ?? 0), 0) + unpacked
  }, 0)
  if (needed > free) throw noSpace(needed, free)
}
