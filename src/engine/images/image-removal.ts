import type { ImageDeleteResponseItem } from '#api/generated/types.ts'
import type { PlannedRemoval } from '#api/prune-plan.ts'
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
import { ImageManifests } from './image-manifests.ts'
import { type Image, type ImageStore, type ImageUser, keyOf } from './image-store.ts'
import { imageFor, variantsOf } from './platform-choice.ts'

export interface RemoveOptions {
  readonly force: boolean
  /** Parents that have no name and nothing else made from them stay. */
  readonly noprune: boolean
  /** Only these of an image of several platforms; `os/architecture[/variant]`. Needs force. */
  readonly platforms?: readonly string[] | undefined
}

/** What one removal did, gathered inside its transaction and told after it. */
interface Removal {
  readonly items: ImageDeleteResponseItem[]
  readonly events: { readonly action: 'untag' | 'delete'; readonly image: ImageRow }[]
  readonly layers: Digest[]
  readonly blobs: Digest[]
  /** What names led to that are gone. */
  readonly targets: Set<Digest>
  /** Bytes on disk that layers and blobs had. */
  space: number
}

const nobody: ReadonlySet<string> = new Set()

function emptyRemoval(): Removal {
  return { items: [], events: [], layers: [], blobs: [], targets: new Set(), space: 0 }
}

/** What is deleted and is no image is a layer of one. */
function plannedRemovals({ items, events }: Removal): PlannedRemoval[] {
  const untagged = events.flatMap(({ action, image }) => (action === 'untag' ? [image.id] : []))
  const images = new Set(events.flatMap(({ action, image }) => (action === 'delete' ? [image.id] : [])))
  return items.map(({ Untagged, Deleted }) => {
    if (Untagged !== undefined && Untagged !== null) {
      return { Kind: 'name', ID: untagged.shift() ?? '', Name: Untagged }
    }
    const id = Deleted ?? ''
    return { Kind: images.has(id as Digest) ? 'image' : 'layer', ID: id, Name: '' }
  })
}

/** In use, or removed by somebody else. */
function isPassedOver(error: unknown): boolean {
  const kind = engineErrorOf(error)?.kind
  return kind === 'conflict' || kind === 'not_found'
}

/** Untags and deletes images by Docker's rules; a conflict leaves everything as it was. */
export class ImageRemoval {
  readonly #store: ImageStore
  readonly #manifests: ImageManifests
  /** Containers that are as good as gone while something is tried out. */
  #without: ReadonlySet<string> = nobody

  constructor(store: ImageStore) {
    this.#store = store
    this.#manifests = new ImageManifests(store)
  }

  async remove(ref: string, options: RemoveOptions): Promise<ImageDeleteResponseItem[]> {
    if (options.platforms !== undefined && options.platforms.length > 0) {
      return this.#removePlatforms(ref, options.platforms, options)
    }
    const { items } = await this.#perform((removal) => this.#removeByRef(ref, options, removal))
    return items
  }

  async #removePlatforms(
    ref: string,
    platforms: readonly string[],
    options: RemoveOptions,
  ): Promise<ImageDeleteResponseItem[]> {
    const chosen: Image[] = []
    for (const platform of platforms) {
      const image = await imageFor(ref, platform, this.#store, this.#manifests)
      if (!options.force) {
        throw imageInUse(image.id, 'it will be removed from all images that have this platform', true)
      }
      if (!chosen.some(({ id }) => id === image.id)) chosen.push(image)
    }
    const all = await variantsOf(ref, await this.#store.resolve(ref), this.#store, this.#manifests)
    const [heir] = all.filter(({ id }) => !chosen.some((image) => image.id === id))
    const { items } = await this.#perform((removal) => {
      for (const image of chosen) {
        if (heir !== undefined) this.#bequeath(image, heir)
        this.#delete(image, options, removal)
      }
      this.#dropVariants(removal)
    })
    return items
  }

  /** Names of an index lead to another of its images when theirs goes. */
  #bequeath(image: Image, heir: Image): void {
    const { references, rows } = this.#store
    for (const name of references.of(image.id)) {
      const target = references.target(name)
      if (target === undefined || !rows.withManifest(target).includes(heir.id)) continue
      references.put(name, heir.id, undefined, target)
    }
  }

  /** Removes dangling images, or with `dangling=false` all that no container uses. */
  async prune(
    filters: Filters,
  ): Promise<{ ImagesDeleted: ImageDeleteResponseItem[] | null; SpaceReclaimed: number }> {
    const { events } = this.#store
    const deleted: ImageDeleteResponseItem[] = []
    let reclaimed = 0
    for (const ref of this.#prunable(filters)) {
      const removal = await this.#tryRemove(ref)
      deleted.push(...(removal?.items ?? []))
      reclaimed += removal?.space ?? 0
    }
    events.pruned(reclaimed)
    return { ImagesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed }
  }

  /**
   * What `prune` would remove when the containers in `without` were gone. Found out by doing it, and taking it back.
   */
  planPrune(filters: Filters, without: ReadonlySet<string>): PlannedRemoval[] {
    return this.#tryOut(without, (removal) => {
      for (const ref of this.#prunable(filters)) {
        try {
          this.#removeByRef(ref, { force: false, noprune: false }, removal)
        } catch (error) {
          if (!isPassedOver(error)) throw error
        }
      }
    })
  }

  /** What `remove` of these, one after the other, would do; throws what the first that cannot be done would throw. */
  planRemove(refs: readonly string[], options: Omit<RemoveOptions, 'platforms'>): PlannedRemoval[] {
    return this.#tryOut(nobody, (removal) => {
      for (const ref of refs) this.#removeByRef(ref, options, removal)
    })
  }

  #tryOut(without: ReadonlySet<string>, work: (removal: Removal) => void): PlannedRemoval[] {
    const removal = emptyRemoval()
    const undone = new Error('undone')
    this.#without = without
    try {
      this.#store.deps.db.transaction(() => {
        work(removal)
        throw undone
      })
    } catch (error) {
      if (error !== undone) throw error
    } finally {
      this.#without = nobody
    }
    return plannedRemovals(removal)
  }

  /** References to remove, one by one: what is asked of each is asked when its turn comes. */
  *#prunable(filters: Filters): Generator<string> {
    const { rows, references, deps } = this.#store
    const filter = imageFilter(filters, pruneKeys, { now: deps.clock(), createdOf: () => 0 })
    const covered = new Set([...rows.variants().values()].flat())
    for (const image of rows.list()) {
      const names = references.of(image.id)
      // Another platform of an image that has a name goes with that name.
      if (names.length === 0 && covered.has(image.id)) continue
      if (names.length === 0 && rows.children(image.id).length > 0) continue
      if (!filter.matches(image) || this.#users(image.id).length > 0) continue
      const tagged = names.some((name) => parseReference(name).tag !== undefined)
      if (tagged && filter.dangling !== false) continue
      yield* names.length > 0 ? names : [hexOf(image.id)]
    }
  }

  #users(id: Digest): readonly ImageUser[] {
    return this.#store.deps.inUse(id).filter((user) => !this.#without.has(user.id))
  }

  /** Images in use, and those removed by somebody else meanwhile, are passed over. */
  async #tryRemove(ref: string): Promise<Removal | undefined> {
    try {
      return await this.#perform((removal) =>
        this.#removeByRef(ref, { force: false, noprune: false }, removal),
      )
    } catch (error) {
      if (isPassedOver(error)) return undefined
      throw error
    }
  }

  async #perform(work: (removal: Removal) => void): Promise<Removal> {
    const removal = emptyRemoval()
    this.#store.deps.db.transaction(() => work(removal), { urgent: true })
    const [, space] = await Promise.all([this.#store.deps.db.durable(), this.#spaceOf(removal)])
    removal.space = space
    await this.#store.collector.discard(removal)
    // Events are rows, too: before the collector they would cost it another sync.
    for (const { action, image } of removal.events) this.#store.events.publish(action, image)
    return removal
  }

  /** Of what is no other image's: the same config or manifest may serve several. */
  async #spaceOf({ layers, blobs }: Removal): Promise<number> {
    const { snapshots, content } = this.#store.deps
    const needed = this.#store.layers.blobs()
    const sizes = await Promise.all([
      ...layers.map((diffId) => snapshots.layerSpace(diffId)),
      ...[...new Set(blobs)].filter((digest) => !needed.has(digest)).map((digest) => content.space(digest)),
    ])
    return sizes.reduce((sum, size) => sum + size, 0)
  }

  #removeByRef(ref: string, options: RemoveOptions, removal: Removal): void {
    const image = this.#image(this.#store.lookup(ref), ref)
    const references = this.#references(image.id)
    if (isIdPrefix(image.id, ref)) {
      this.#removeById(image, references, options, removal)
    } else {
      this.#removeByName(ref, image, references, options, removal)
    }
    this.#dropVariants(removal)
  }

  /** Other platforms of an index that no name leads to any more; what is needed otherwise stays. */
  #dropVariants(removal: Removal): void {
    const { rows, references } = this.#store
    for (const target of removal.targets) {
      if (references.isTarget(target)) continue
      for (const id of rows.withManifest(target)) {
        const image = rows.get(id)
        if (image === undefined || !this.#manifests.isIndex(id, target)) continue
        const isVariant = [...rows.variants().values()].some((ids) => ids.includes(id))
        if (!isVariant && !this.#isNeeded(id)) this.#erase(image, removal)
      }
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
    const [user] = this.#users(image.id)
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
    // By force it is the name that goes: a running container keeps its image.
    if (this.#users(image.id).some(({ running }) => running)) return
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
    const name = formatReference(reference)
    const target = this.#store.references.target(name)
    if (target !== undefined) removal.targets.add(target)
    this.#store.references.remove(name)
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
    const { rows, references } = this.#store
    return references.of(id).length > 0 || rows.children(id).length > 0 || this.#users(id).length > 0
  }

  #checkConflicts(
    id: Digest,
    options: { readonly force: boolean; readonly ignoreReferences: boolean },
  ): void {
    if (this.#store.rows.children(id).length > 0) {
      throw imageInUse(id, 'image has dependent child images', false)
    }
    const users = this.#users(id)
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
