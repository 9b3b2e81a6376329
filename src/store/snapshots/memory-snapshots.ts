import { type Digest, digestOf } from '#base/digest.ts'
import { LayerTree } from '#oci/tar/layer-tree.ts'
import { TarParser } from '#oci/tar/parser.ts'
import { damagedLayer, noSuchLayer, noSuchSnapshot, snapshotExists, wrongDiffId } from './errors.ts'
import type { LayerHealth } from './layer-check.ts'
import type { IngestOptions, Layer, RootMount, Snapshots, View } from './snapshots.ts'
import { abortableSource } from './stage-tar.ts'

/** Snapshots for tests: archives are parsed and kept, nothing is mounted, and paths lead nowhere. */
export class MemorySnapshots implements Snapshots {
  readonly driver = 'directory'
  readonly #layers = new Map<Digest, Uint8Array>()
  readonly #snapshots = new Map<string, readonly Digest[]>()
  readonly #damaged = new Set<Digest>()
  #views = 0

  async ingest(tar: AsyncIterable<Uint8Array>, options: IngestOptions = {}): Promise<Layer> {
    const parser = new TarParser(new LayerTree())
    const chunks: Uint8Array[] = []
    for await (const chunk of abortableSource(tar, options.signal)) {
      parser.push(chunk)
      chunks.push(chunk)
    }
    parser.end()
    const bytes = Buffer.concat(chunks)
    const diffId = digestOf(bytes)
    if (options.expected !== undefined && options.expected !== diffId)
      throw wrongDiffId(options.expected, diffId)
    this.#layers.set(diffId, bytes)
    this.#damaged.delete(diffId)
    return layerOf(diffId, bytes)
  }

  async layer(diffId: Digest): Promise<Layer | undefined> {
    const bytes = this.#damaged.has(diffId) ? undefined : this.#layers.get(diffId)
    return bytes && layerOf(diffId, bytes)
  }

  async *tar(diffId: Digest): AsyncGenerator<Uint8Array> {
    const bytes = this.#get(diffId)
    yield bytes
    if (digestOf(bytes) !== diffId) throw damagedLayer(diffId, 'its archive has another digest')
  }

  async checkLayer(diffId: Digest): Promise<LayerHealth> {
    const bytes = this.#layers.get(diffId)
    if (bytes === undefined) return { state: 'missing' }
    if (digestOf(bytes) === diffId) return { state: 'whole' }
    this.#damaged.add(diffId)
    return { state: 'damaged', problem: `its archive has the digest ${digestOf(bytes)}`, archive: 'damaged' }
  }

  async rebuildLayer(): Promise<void> {
    // There is nothing but the archive.
  }

  async leftovers(): Promise<readonly string[]> {
    return []
  }

  async removeLeftover(): Promise<void> {
    // There are none.
  }

  async *layers(): AsyncGenerator<Layer> {
    for (const [diffId, bytes] of this.#layers) yield layerOf(diffId, bytes)
  }

  async removeLayer(diffId: Digest): Promise<void> {
    this.#layers.delete(diffId)
  }

  async prepare(id: string, layers: readonly Digest[]): Promise<void> {
    for (const diffId of layers) this.#get(diffId)
    if (this.#snapshots.has(id)) throw snapshotExists(id)
    this.#snapshots.set(id, layers)
  }

  async root(id: string, layers: readonly Digest[]): Promise<RootMount> {
    if (!this.#snapshots.has(id)) throw noSuchSnapshot(id)
    for (const diffId of layers) this.#get(diffId)
    const lower = layers.map((diffId) => `/memory/layers/${diffId}`).reverse()
    return {
      lower: lower.length === 0 ? ['/memory/empty'] : lower,
      upper: `/memory/snapshots/${id}/upper`,
      work: `/memory/snapshots/${id}/work`,
    }
  }

  async view(layers: readonly Digest[]): Promise<View> {
    for (const diffId of layers) this.#get(diffId)
    return { path: `/memory/views/${++this.#views}`, [Symbol.asyncDispose]: async () => undefined }
  }

  async usage(id: string): Promise<number> {
    if (!this.#snapshots.has(id)) throw noSuchSnapshot(id)
    return 0
  }

  async space(): Promise<number> {
    return 0
  }

  async layerSpace(diffId: Digest): Promise<number> {
    return this.#layers.get(diffId)?.length ?? 0
  }

  async snapshots(): Promise<readonly string[]> {
    return [...this.#snapshots.keys()]
  }

  async remove(id: string): Promise<void> {
    this.#snapshots.delete(id)
  }

  /** Damages a layer, as a failing disk would. */
  corrupt(diffId: Digest): void {
    const bytes = Uint8Array.from(this.#get(diffId))
    bytes[bytes.length >> 1]! ^= 1
    this.#layers.set(diffId, bytes)
  }

  #get(diffId: Digest): Uint8Array {
    const bytes = this.#layers.get(diffId)
    if (bytes === undefined) throw noSuchLayer(diffId)
    return bytes
  }
}

function layerOf(diffId: Digest, bytes: Uint8Array): Layer {
  return { diffId, size: bytes.length, stored: bytes.length }
}
