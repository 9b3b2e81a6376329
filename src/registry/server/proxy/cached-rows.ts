import type { Digest } from '#base/digest.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import type { CachedDocument } from './cached-document.ts'

/** The rows of a cache: those of the catalogue, and what it knows beyond them. */
export class CachedRows {
  readonly #catalogue: Catalogue

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue
  }

  /** Where a tag led when the upstream was asked last, and when that was. */
  tag(repository: string, tag: string): { readonly manifest: Digest; readonly checked: number } | undefined {
    return this.#catalogue.db.get(
      `SELECT manifest, checked FROM tags JOIN proxy_tags USING (repository, tag)
       WHERE repository = ? AND tag = ?`,
      [repository, tag],
    )
  }

  /** The upstream says that the tag leads to this manifest, which is here. False: it is not any more. */
  confirm(repository: string, tag: string, manifest: Digest, now: number): boolean {
    return this.#catalogue.transaction(() => {
      if (this.#catalogue.manifests.get(repository, manifest) === undefined) return false
      const before = this.#catalogue.tags.get(repository, tag)
      if (before?.manifest !== manifest) this.#catalogue.tags.put(repository, tag, manifest, now)
      this.#catalogue.db.run(
        `INSERT INTO proxy_tags (repository, tag, checked) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET checked = excluded.checked`,
        [repository, tag, now],
      )
      return true
    })
  }

  forgetTag(repository: string, tag: string): void {
    this.#catalogue.tags.remove(repository, tag)
  }

  /** Keeps a manifest. It needs those of its blobs that are here already; the others are noted for later. */
  put({ manifest, contents }: CachedDocument): void {
    const { repository, digest, pushed } = manifest
    this.#catalogue.transaction(() => {
      this.#catalogue.repositories.pushed(repository, pushed)
      const here = contents.filter((blob) => this.#catalogue.links.get(repository, blob.digest) !== undefined)
      this.#catalogue.manifests.put({ ...manifest, blobs: here.map((blob) => blob.digest) })
      for (const blob of contents) {
        this.#catalogue.db.run('INSERT INTO proxy_contents VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING', [
          repository,
          digest,
          blob.digest,
          blob.size,
        ])
      }
    })
  }

  /** Bytes of a blob that a cached manifest of the repository names. */
  sizeOf(repository: string, blob: Digest): number | undefined {
    return this.#catalogue.db.get<{ size: number }>(
      'SELECT size FROM proxy_contents WHERE repository = ? AND blob = ? LIMIT 1',
      [repository, blob],
    )?.size
  }

  /** The blob is durable: the repository has it, and the manifests that name it need it. */
  link(repository: string, blob: Digest, size: number, now: number): void {
    this.#catalogue.transaction(() => {
      this.#catalogue.repositories.pushed(repository, now)
      this.#catalogue.links.put({ repository, blob, size, touched: now })
      this.#catalogue.db.run(
        `INSERT INTO manifest_blobs (repository, manifest, blob)
         SELECT repository, manifest, blob FROM proxy_contents WHERE repository = ? AND blob = ?
         ON CONFLICT DO NOTHING`,
        [repository, blob],
      )
    })
  }

  /** Manifests that nobody has pulled since `before`; they go with their tags. */
  evict(repositories: (name: string) => boolean, before: number): number {
    const stale = this.#catalogue.db.all<{ repository: string; digest: Digest }>(
      'SELECT repository, digest FROM manifests WHERE max(coalesce(pulled, 0), pushed, touched) < ?',
      [before],
    )
    return this.#catalogue.transaction(
      () =>
        stale.filter(
          ({ repository, digest }) =>
            repositories(repository) && this.#catalogue.manifests.remove(repository, digest),
        ).length,
    )
  }
}
