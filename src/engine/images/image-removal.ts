import type { ImageDeleteResponseItem } from '#api/generated/types.ts'
import type { Digest } from '#base/digest.ts'
import { hexOf } from '#base/digest.ts'
import { engineErrorOf } from '#base/errors.ts'
import { shortId } from '#base/ids.ts'
import {
  formatFamiliar,
  formatReference,
  parseReference,
  repositoryOf,
  type Reference,
} from '#oci/reference.ts'
import type { ImageRow } from '#store/images.ts'
import type { Filters } from '../services.ts'
import { chainIds } from './chain-ids.ts'
import { imageInUse, noSuchImage, referenceInUse } from './errors.ts'
import { imageFilter, pruneKeys } from './filters.ts'
import { keyOf, type ImageStore } from './image-store.ts'

export interface RemoveOptions {
  readonly force: boolean
  /** Parents that have no name and nothing else made from them stay. */
  readonly noprune: boolean
}

/** What one removal did, gathered inside its transaction and told after it. */
interface Removal {
  readonly items: ImageDeleteResponseItem[]
  readonly events: { readonly action: 'untag' | 'delete'; readonly image: ImageRow }[]
  readonly layers: Digest[]
  readonly blobs: Digest[]
  /** Bytes on disk that layers and blobs had. */
  space: number
}

/** Untags and deletes images by Docker's rules; a conflict leaves everything as it was. */
export class ImageRemoval {
  readonly #store: ImageStore

  constructor(store: ImageStore) {
    this.#store = store
  }

  async remove(ref: string, options: RemoveOptions): Promise<ImageDeleteResponseItem[]> {
    const { items } = await this.#perform((removal) => this.#removeByRef(ref, options, removal))
    return items
  }

  /** Removes dangling images, or with `dangling=false` all that no container uses. */
  async prune(
    filters: Filters,
  ): Promise<{ ImagesDeleted: ImageDeleteResponseItem[]; SpaceReclaimed: number }> {
    const { rows, references, events, deps } = this.#store
    const filter = imageFilter(filters, pruneKeys, { now: deps.clock(), createdOf: () => 0 })
    const deleted: ImageDeleteResponseItem[] = []
    let reclaimed = 0

    for (const image of rows.list()) {
      const names = references.of(image.id)
      if (names.length === 0 && rows.children(image.id).length > 0) continue
      if (!filter.matches(image) || deps.inUse(image.id).length > 0) continue
      const tagged = names.some((name) => parseReference(name).tag !== undefined)
      if (tagged && filter.dangling !== false) continue
      for (const ref of names.length > 0 ? names : [hexOf(image.id)]) {
        const removal = await this.#tryRemove(ref)
        deleted.push(...(removal?.items ?? []))
        reclaimed += removal?.space ?? 0
      }
    }
    events.pruned(reclaimed)
    return { ImagesDeleted: deleted, SpaceReclaimed: reclaimed }
  }

  /** Images in use, and those removed by somebody else meanwhile, are passed over. */
  async #tryRemove(ref: string): Promise<Removal | undefined> {
    try {
      return await this.#perform((removal) =>
        this.#removeByRef(ref, { force: false, noprune: false }, removal),
      )
    } catch (error) {
      const kind = engineErrorOf(error)?.kind
      if (kind === 'conflict' || kind === 'not_found') return undefined
      throw error
    }
  }

  async #perform(work: (removal: Removal) => void): Promise<Removal> {
    const removal: Removal = { items: [], events: [], layers: [], blobs: [], space: 0 }
    this.#store.deps.db.transaction(() => work(removal), { urgent: true })
    await this.#store.deps.db.durable()
    for (const { action, image } of removal.events) this.#store.events.publish(action, image)
    removal.space = await this.#spaceOf(removal)
    await this.#store.collector.discard(removal)
    return removal
  }

  /** Of what is no other image's: the same config or manifest may serve several. */
  async #spaceOf({ layers, blobs }: Removal): Promise<number> {
    const { snapshots, content } = this.#store.deps
    const needed = this.#store.layers.blobs()
    let space = 0
    for (const diffId of layers) space += await snapshots.layerSpace(diffId)
    for (const digest of new Set(blobs)) if (!needed.has(digest)) space += await content.space(digest)
    return space
  }

  #removeByRef(ref: string, options: RemoveOptions, removal: Removal): void {
    const image = this.#image(this.#store.lookup(ref), ref)
    const references = this.#references(image.id)
    if (isIdPrefix(image.id, ref)) {
      this.#removeById(image, references, options, removal)
    } else {
      this.#removeByName(ref, image, references, options, removal)
    }
  }

  /** Names go with the image only when they all mean the same repository and tag. */
  #removeById(
    image: ImageRow,
    references: readonly Reference[],
    options: RemoveOptions,
    removal: Removal,
  ): void {
    if (isSingle(references)) {
      this.#checkConflicts(image.id, { force: options.force, ignoreReferences: true })
      for (const reference of references) this.#untag(image, reference, removal)
    }
    this.#delete(image, options, removal)
  }

  #removeByName(
    ref: string,
    image: ImageRow,
    references: readonly Reference[],
    options: RemoveOptions,
    removal: Removal,
  ): void {
    const [user] = this.#store.deps.inUse(image.id)
    if (!options.force && isSingle(references) && user !== undefined) {
      throw referenceInUse(ref, user.id, image.id)
    }
    const key = keyOf(parseReference(ref))
    const named = references.find((reference) => formatReference(reference) === key)
    if (named === undefined) throw noSuchImage(ref)
    this.#untag(image, named, removal)

    let rest = references.filter((reference) => reference !== named)
    if (named.digest === undefined) rest = this.#dropDigests(image, named, rest, removal)
    if (rest.length > 0) return
    // With its last name gone an image that others were made from stays, silently.
    if (this.#store.rows.children(image.id).length > 0) return
    this.#delete(image, options, removal)
  }

  /** Digests of a repository are worth nothing without a tag there. Returns what is left. */
  #dropDigests(image: ImageRow, named: Reference, rest: readonly Reference[], removal: Removal): Reference[] {
    const same = (other: Reference): boolean => repositoryOf(other) === repositoryOf(named)
    if (rest.some((other) => same(other) && other.tag !== undefined)) return [...rest]
    for (const other of rest) if (same(other)) this.#untag(image, other, removal)
    return rest.filter((other) => !same(other))
  }

  #untag(image: ImageRow, reference: Reference, removal: Removal): void {
    this.#store.references.remove(formatReference(reference))
    removal.items.push({ Untagged: formatFamiliar(reference) })
    removal.events.push({ action: 'untag', image })
  }

  #delete(image: ImageRow, options: RemoveOptions, removal: Removal): void {
    this.#checkConflicts(image.id, { force: options.force, ignoreReferences: false })
    for (const reference of this.#references(image.id)) this.#untag(image, reference, removal)
    this.#erase(image, removal)

    let { parentId } = image
    while (!options.noprune && parentId !== undefined) {
      const parent = this.#store.rows.get(parentId)
      if (parent === undefined || this.#isNeeded(parent.id)) return
      this.#erase(parent, removal)
      parentId = parent.parentId
    }
  }

  #erase(image: ImageRow, removal: Removal): void {
    const { rows } = this.#store
    const released = this.#releasedChains(image.id)
    const manifests = rows.manifests(image.id)
    const layers = rows.remove(image.id)
    removal.items.push({ Deleted: image.id })
    removal.events.push({ action: 'delete', image })
    // A container that is left keeps the image's layers: they go with it.
    if (layers === undefined) return
    removal.items.push(...released.map((chainId) => ({ Deleted: chainId })))
    removal.layers.push(...layers)
    removal.blobs.push(image.id, ...manifests.map(({ digest }) => digest))
  }

  /** Chain ids, topmost first, that no other image has. */
  #releasedChains(id: Digest): Digest[] {
    const { rows, layers } = this.#store
    const own = rows.layers(id)
    const [base] = own
    if (base === undefined) return []
    let kept = 0
    for (const other of layers.imagesOn(base, id)) {
      const theirs = rows.layers(other)
      const differs = own.findIndex((diffId, at) => theirs[at] !== diffId)
      kept = Math.max(kept, differs === -1 ? own.length : differs)
    }
    return chainIds(own).slice(kept).toReversed()
  }

  #isNeeded(id: Digest): boolean {
    const { rows, references, deps } = this.#store
    return references.of(id).length > 0 || rows.children(id).length > 0 || deps.inUse(id).length > 0
  }

  #checkConflicts(
    id: Digest,
    options: { readonly force: boolean; readonly ignoreReferences: boolean },
  ): void {
    if (this.#store.rows.children(id).length > 0) {
      throw imageInUse(id, 'image has dependent child images', false)
    }
    const users = this.#store.deps.inUse(id)
    const running = users.find((user) => user.running)
    if (running !== undefined) {
      throw imageInUse(id, `image is being used by running container ${shortId(running.id)}`, false)
    }
    if (options.force) return
    if (!options.ignoreReferences && this.#references(id).length > 0) {
      throw imageInUse(id, 'image is referenced in multiple repositories', true)
    }
    const [stopped] = users
    if (stopped !== undefined) {
      throw imageInUse(id, `image is being used by stopped container ${shortId(stopped.id)}`, true)
    }
  }

  #references(id: Digest): Reference[] {
    return this.#store.references.of(id).map(parseReference)
  }

  #image(id: Digest, ref: string): ImageRow {
    const row = this.#store.rows.get(id)
    if (row === undefined) throw noSuchImage(ref)
    return row
  }
}

function isIdPrefix(id: Digest, ref: string): boolean {
  return id.startsWith(ref) || hexOf(id).startsWith(ref)
}

/** At most one tag, and everything in one repository. */
function isSingle(references: readonly Reference[]): boolean {
  if (references.length === 0) return false
  if (references.filter(({ tag }) => tag !== undefined).length > 1) return false
  return new Set(references.map(repositoryOf)).size === 1
}
