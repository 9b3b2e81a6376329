/** Everything that a registry keeps, read and compared with its digests. */
import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { type Digest, digestFrom, digestOf } from '#base/digest.ts'
import { isKind, messageOf } from '#base/errors.ts'
import type { Catalogue } from './catalogue.ts'
import type { BlobStorage } from './storage.ts'

export interface StoredDamage {
  readonly kind: 'blob' | 'manifest'
  readonly digest: Digest
  readonly problem: string
  /** `repository:tag` of what cannot be pulled because of it; repositories when no tag leads to it. */
  readonly images: readonly string[]
  /** Takes a damaged file away, whereupon the next push of the image sends it again. */
  readonly remove?: () => Promise<void>
}

interface Stored {
  readonly catalogue: Catalogue
  readonly blobs: BlobStorage
}

/** While the registry serves: what goes or comes meanwhile is no damage. */
export async function* checkStorage(
  stored: Stored,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<StoredDamage> {
  const { db } = stored.catalogue
  yield* checkManifests(stored, signal)
  const linked = db.all<{ blob: Digest }>('SELECT DISTINCT blob FROM links ORDER BY blob')
  for (const { blob: digest } of linked) {
    signal.throwIfAborted()
    const problem = await blobProblem(stored, digest, signal)
    if (problem === undefined) continue
    const missing = problem === MISSING
    yield {
      kind: 'blob',
      digest,
      problem,
      images: needing(stored.catalogue, digest),
      ...(missing ? {} : { remove: async () => void (await stored.blobs.remove(digest)) }),
    }
  }
}

const MISSING = 'is missing'
const OTHER_CONTENT = 'has other content than its digest says'

async function blobProblem(
  { catalogue, blobs }: Stored,
  digest: Digest,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const hash = createHash('sha256')
    for await (const chunk of await blobs.read(digest)) {
      signal.throwIfAborted()
      hash.update(chunk)
    }
    return digestFrom(hash) === digest ? undefined : OTHER_CONTENT
  } catch (error) {
    signal.throwIfAborted()
    if (!isKind(error, 'not_found')) return messageOf(error)
    // Collection removes links before files.
    return catalogue.links.holders(digest).length === 0 ? undefined : MISSING
  }
}

async function* checkManifests({ catalogue }: Stored, signal: AbortSignal): AsyncGenerator<StoredDamage> {
  const rows = catalogue.db.all<{ repository: string; digest: Digest }>(
    'SELECT repository, digest FROM manifests ORDER BY repository, digest',
  )
  for (const { repository, digest } of rows) {
    // Each is up to megabytes to hash.
    await turn(undefined, { signal })
    const bytes = catalogue.manifests.bytes(repository, digest)
    if (bytes === undefined || digestOf(bytes) === digest) continue
    yield { kind: 'manifest', digest, problem: OTHER_CONTENT, images: [repository] }
  }
}

function needing({ db, links }: Catalogue, blob: Digest): readonly string[] {
  const tagged = db.all<{ name: string }>(
    `SELECT DISTINCT tags.repository || ':' || tags.tag AS name FROM manifest_blobs AS need
     JOIN tags ON tags.repository = need.repository AND tags.manifest = need.manifest
     WHERE need.blob = ? ORDER BY 1`,
    [blob],
  )
  return tagged.length > 0 ? tagged.map(({ name }) => name) : links.holders(blob)
}
