import type { Clock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { newId } from '#base/ids.ts'
import type { Database } from '../db.ts'
import { ImageRows } from '../images.ts'
import type { Snapshots } from '../snapshots/snapshots.ts'
import { BuildLease, type LayerPins } from './build-lease.ts'
import { MemoryRows } from './memory-rows.ts'
import type { CacheItem } from './prune-policy.ts'
import { type ResultKey, type ResultRow, ResultRows } from './result-rows.ts'

export interface BuildCacheDeps {
  readonly db: Database
  readonly snapshots: Pick<Snapshots, 'layer' | 'layerSpace'>
  readonly pins: LayerPins
  /** These layers have lost their rows: their files may go. */
  readonly discard: (garbage: { readonly layers: Iterable<Digest> }) => Promise<void>
  readonly clock: Pick<Clock, 'now'>
}

export interface NewResult extends Pick<ResultRow, 'layer' | 'name' | 'stage' | 'instruction' | 'files'> {
  readonly content: Digest
  /** Undefined: only the content leads to it. */
  readonly definition: ResultKey | undefined
  /** Ids of the results below it, and of those it took files from. */
  readonly parents: readonly string[]
}

export type Found =
  | { readonly type: 'hit'; readonly result: ResultRow }
  /** `gone`: there was a result, and its layer is not there any more or is damaged. */
  | { readonly type: 'unknown' | 'gone' }

/**
 * What steps have made, by the keys they are found under. A result is written when its step has ended well and its layer
 * is in the store; one whose layer is missing or damaged is no result any more, and its rows go when that is seen.
 */
export class BuildCache {
  readonly memories: MemoryRows
  readonly #deps: BuildCacheDeps
  readonly #rows: ResultRows
  readonly #images: ImageRows
  readonly #leases = new Set<BuildLease>()
  /** What layers take on the disk, which takes long to find out and stays so. */
  readonly #spaces = new Map<Digest, number>()

  constructor(deps: BuildCacheDeps) {
    this.#deps = deps
    this.#rows = new ResultRows(deps.db)
    this.#images = new ImageRows(deps.db)
    this.memories = new MemoryRows(deps.db)
  }

  /** For one build: what it uses stays until the lease is disposed. */
  lease(): BuildLease {
    const lease = new BuildLease(this.#deps.pins, (ended) => {
      this.#leases.delete(ended)
      const now = this.#now()
      // The last of a build, which is not to fail because the disk has become full.
      this.#deps.db.transaction(() => this.#rows.touch(ended.results, now), { urgent: true })
    })
    this.#leases.add(lease)
    return lease
  }

  /** What the key leads to, without looking at layers. */
  peek(key: Digest): ResultRow | undefined {
    return this.#rows.byKey(key)?.result
  }

  /** Whether a layer that was made or fetched just now is there, kept by the lease. Its result counts as used. */
  async holds(id: string | undefined, layer: Digest | undefined, lease: BuildLease): Promise<boolean> {
    if (id !== undefined) lease.use(id)
    if (layer === undefined) return true
    await lease.keep([layer])
    return (await this.#deps.snapshots.layer(layer)) !== undefined
  }

  /** The key of contents of a result. */
  contentOf(id: string): Digest | undefined {
    return this.#rows.contentOf(id)
  }

  /** When a result was made, in milliseconds since the epoch. */
  madeAt(id: string): number | undefined {
    return this.#rows.get(id)?.createdAt
  }

  /** What the key leads to on these layers, whole and kept by the lease. */
  async find({ key, below }: ResultKey, lease: BuildLease): Promise<Found> {
    const row = this.#rows.byKey(key)
    if (row === undefined || row.below !== below) return { type: 'unknown' }
    const { result } = row
    if (await this.holds(result.id, result.layer, lease)) return { type: 'hit', result }
    await this.#forget([result.id])
    return { type: 'gone' }
  }

  /**
   * Writes what a step has made, for its keys to lead to it from now on. A lease keeps its layer. Returns its id: that of a
   * result with the same contents and layer if there is one; undefined when the layer is not in the store any more.
   */
  async record(made: NewResult): Promise<string | undefined> {
    const { layer, content, definition, files } = made
    const stored = layer === undefined ? undefined : await this.#deps.snapshots.layer(layer)
    if (layer !== undefined && stored === undefined) return undefined
    const { db } = this.#deps
    const now = this.#now()
    const { id, freed } = db.transaction(() => {
      const same = this.#rows.byKey(content)?.result
      const id = same !== undefined && same.layer === layer ? same.id : newId().slice(0, ID_LENGTH)
      if (id !== same?.id) {
        if (layer !== undefined) this.#images.putLayer({ diffId: layer, size: stored?.size ?? 0 })
        const { name, stage, instruction, parents } = made
        const row = { id, layer, name, stage, instruction, files, createdAt: now, usedAt: now, uses: 0 }
        this.#rows.insert(row, parents)
      } else if (files !== undefined) {
        this.#rows.setFiles(id, files)
      }
      this.#rows.link(id, { key: content, below: '' }, now)
      if (definition !== undefined) this.#rows.link(id, definition, now)
      this.#rows.removeUnreachable()
      return { id, freed: this.#images.removeUnusedLayers() }
    })
    if (freed.length > 0) await this.#deps.discard({ layers: freed })
    return id
  }

  /** Another definition that leads to a result. */
  link(id: string, key: ResultKey): void {
    const known = this.#rows.byKey(key.key)
    if (known?.result.id === id && known.below === key.below) return
    this.#deps.db.transaction(() => {
      if (this.#rows.get(id) === undefined) return
      this.#rows.link(id, key, this.#now())
    })
  }

  /** A layer that was made and that no result came of may go. */
  async abandon(layer: Digest): Promise<void> {
    await this.#deps.discard({ layers: [layer] })
  }

  /** Resolves when all that was recorded survives a power cut. */
  async durable(): Promise<void> {
    await this.#deps.db.durable()
  }

  /** Every result, oldest first. A layer that several results have is counted with the first of them. */
  async usage(): Promise<CacheItem[]> {
    const parents = this.#rows.parents()
    const ofImages = this.#rows.layersOfImages()
    const counted = new Set<Digest>()
    const items: CacheItem[] = []
    for (const row of this.#rows.all()) {
      const { id, layer, name, createdAt, usedAt, uses } = row
      const isFirst = layer !== undefined && !counted.has(layer)
      if (layer !== undefined) counted.add(layer)
      items.push({
        id,
        type: 'regular',
        description: name,
        parents: parents.get(id) ?? [],
        inUse: this.#isLeased(id),
        shared: layer !== undefined && ofImages.has(layer),
        size: isFirst ? await this.#space(layer) : 0,
        createdAt,
        usedAt,
        uses,
      })
    }
    return items
  }

  /** Removes results, but those of running builds; tells which, and the bytes that their layers have freed. */
  async remove(ids: readonly string[]): Promise<{ readonly removed: string[]; readonly space: number }> {
    const sizes = new Map<Digest, number>()
    for (const id of ids) {
      const layer = this.#rows.get(id)?.layer
      if (layer !== undefined && !sizes.has(layer)) {
        sizes.set(layer, await this.#space(layer))
      }
    }
    const removed = ids.filter((id) => !this.#isLeased(id) && this.#rows.get(id) !== undefined)
    const freed = await this.#forget(removed)
    return { removed, space: freed.reduce((sum, layer) => sum + (sizes.get(layer) ?? 0), 0) }
  }

  /** Removes what has this layer, which is damaged. */
  async forgetLayer(layer: Digest): Promise<void> {
    await this.#forget(this.#rows.withLayer(layer))
  }

  /** Layers that nothing else needs. */
  ownLayers(): Set<Digest> {
    return this.#rows.ownLayers()
  }

  async #forget(ids: readonly string[]): Promise<Digest[]> {
    const freed = this.#deps.db.transaction(
      () => {
        this.#rows.remove(ids)
        this.memories.removeUnusedFiles()
        return this.#images.removeUnusedLayers()
      },
      { urgent: true },
    )
    for (const layer of freed) this.#spaces.delete(layer)
    if (freed.length > 0) await this.#deps.discard({ layers: freed })
    return freed
  }

  async #space(layer: Digest): Promise<number> {
    const known = this.#spaces.get(layer)
    if (known !== undefined) return known
    const space = await this.#deps.snapshots.layerSpace(layer)
    if (space > 0) this.#spaces.set(layer, space)
    return space
  }

  #isLeased(id: string): boolean {
    return this.#leases.values().some(({ results }) => results.has(id))
  }

  #now(): number {
    return this.#deps.clock.now().getTime()
  }
}

/** As long as BuildKit's. */
const ID_LENGTH = 25
