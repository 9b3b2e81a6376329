import type { Digest } from '#base/digest.ts'
import type { FetchedBlob, Hooks, ManifestNote } from '../hooks.ts'
import type { BlobCache } from '../proxy/blob-cache.ts'
import { proxiedIsReadOnly } from '../proxy/errors.ts'
import type { ManifestCache } from '../proxy/manifest-cache.ts'
import type { UpstreamLists } from '../proxy/upstream-lists.ts'
import type { Upstreams } from '../proxy/upstreams.ts'

/** RFC 7234 5.5.1 */
const STALE = '110 berth-registry "Response is Stale"'

/** What a pull-through cache adds to pulls and pushes. */
export function proxyHooks(deps: {
  readonly upstreams: Upstreams
  readonly manifests: ManifestCache
  readonly blobs: BlobCache
  readonly lists: UpstreamLists
}): Hooks {
  const { upstreams, manifests, blobs, lists } = deps
  return {
    repositoryOf: (repository, query) =>
      upstreams.locate(repository, query.get('ns') || undefined)?.name ?? repository,
    async beforeManifest(repository, reference, { signal }): Promise<ManifestNote | undefined> {
      const proxied = upstreams.locate(repository)
      if (proxied === undefined) return undefined
      const { stale } = await manifests.manifest(proxied, reference, { signal })
      return stale ? { headers: { Warning: STALE } } : undefined
    },
    async listTags(repository, options) {
      const proxied = upstreams.locate(repository)
      return proxied && lists.tags(proxied, options)
    },
    async listReferrers(repository, subject, options) {
      const proxied = upstreams.locate(repository)
      return proxied && lists.referrers(proxied, subject, options)
    },
    async missingBlob(repository, digest: Digest, { signal }): Promise<FetchedBlob | undefined> {
      const proxied = upstreams.locate(repository)
      return proxied === undefined ? undefined : blobs.open(proxied, digest, { signal })
    },
    async beforePush(repository) {
      const proxied = upstreams.locate(repository)
      if (proxied !== undefined) throw proxiedIsReadOnly(repository, proxied.source.domain)
    },
  }
}
