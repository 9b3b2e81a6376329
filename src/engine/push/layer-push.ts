import type { KeyedMutex } from '#base/mutex.ts'
import { hexOf } from '#base/digest.ts'
import { type BlockCompressor, compress } from '#oci/compress.ts'
import type { Compression } from '#oci/compression.ts'
import { EngineError, isKind } from '#base/errors.ts'
import type { Slots } from '#base/slots.ts'
import { type Descriptor, mediaTypes } from '#oci/image-spec.ts'
import type { Repository } from '#registry/client/repository.ts'
import type { LayerBlobRow, LayerRow } from '#store/images.ts'
import type { ImageStore } from '../images/image-store.ts'
import { type Report, reportingBytes } from '../images/progress.ts'

/** A layer as the target repository has it. */
export type LayerBlob = Pick<Descriptor, 'mediaType' | 'digest' | 'size'>

export interface LayerPushDeps {
  readonly store: ImageStore
  readonly repository: Repository
  /** What all pushes share: layers on their way, by repository and diff id, and how many there may be at a time. */
  readonly sending: KeyedMutex
  readonly slots: Slots
  readonly compression: Exclude<Compression, 'none'>
  readonly compressBlock: BlockCompressor
  readonly report: Report
  readonly signal: AbortSignal
}

/** Requests that are worth making before a layer is sent. */
const MAX_CHECKS = 4
const MAX_MOUNTS = 3

/**
 * Brings layers into one repository: found there, mounted from another repository of the registry, or compressed and
 * sent. What is learnt about where a layer lies is recorded at once.
 */
export class LayerPush {
  readonly #deps: LayerPushDeps
  readonly #name: string
  readonly #begun = new Map<string, Promise<LayerBlob>>()

  constructor(deps: LayerPushDeps) {
    this.#deps = deps
    this.#name = `${deps.repository.name.domain}/${deps.repository.name.path}`
  }

  /** `wanted` is the blob that an original manifest has for the layer; any other with the same content may come. */
  push(layer: LayerRow, wanted?: LayerBlob): Promise<LayerBlob> {
    const key = `${layer.diffId} ${wanted?.digest ?? ''}`
    const begun = this.#begun.get(key) ?? this.#push(layer, wanted)
    this.#begun.set(key, begun)
    return begun
  }

  async #push(layer: LayerRow, wanted: LayerBlob | undefined): Promise<LayerBlob> {
    const { slots, sending, signal, store } = this.#deps
    this.#say(layer, 'Preparing')
    if (!slots.available) this.#say(layer, 'Waiting')
    using _slot = await slots.acquire({ signal })
    using _turn = await sending.acquire(`${this.#name} ${layer.diffId}`, { signal })

    const known = wantedFirst(store.layerBlobs.of(layer.diffId), wanted)
    const blob =
      (await this.#found(layer, known, wanted)) ??
      (await this.#mounted(layer, known)) ??
      (await this.#sent(layer, wanted))
    const { digest, mediaType, size } = blob
    // An image that was removed meanwhile has taken the layer's row along: there is nothing to remember then.
    if (store.layers.has(layer.diffId)) {
      store.layerBlobs.put({ diffId: layer.diffId, repository: this.#name, digest, mediaType, size })
    }
    return { digest, mediaType, size }
  }

  /** Blobs that have the content of the layer, those that should be in this repository before others. */
  async #found(
    layer: LayerRow,
    known: readonly LayerBlobRow[],
    wanted: LayerBlob | undefined,
  ): Promise<LayerBlob | undefined> {
    const { repository, store, signal } = this.#deps
    const here = known.filter((row) => row.repository === this.#name)
    const candidates = new Map<string, LayerBlob>()
    for (const blob of [...(wanted ? [wanted] : []), ...here, ...known]) {
      if (!candidates.has(blob.digest)) candidates.set(blob.digest, blob)
    }
    for (const blob of [...candidates.values()].slice(0, MAX_CHECKS)) {
      if (await repository.hasBlob(blob.digest, { signal })) {
        this.#say(layer, 'Layer already exists')
        return blob
      }
      const { diffId } = layer
      store.layerBlobs.remove({ diffId, repository: this.#name, digest: blob.digest })
    }
    return undefined
  }

  async #mounted(layer: LayerRow, known: readonly LayerBlobRow[]): Promise<LayerBlob | undefined> {
    const { domain } = this.#deps.repository.name
    const elsewhere = known.filter(
      ({ repository }) => repository !== this.#name && repository.startsWith(`${domain}/`),
    )
    for (const row of elsewhere.slice(0, MAX_MOUNTS)) {
      const from = row.repository.slice(domain.length + 1)
      if (!(await this.#mount(row, from))) continue
      this.#say(layer, `Mounted from ${from}`)
      return row
    }
    return undefined
  }

  /** Somebody who may not read the other repository sends the layer, as if it were nowhere. */
  async #mount({ digest }: LayerBlobRow, from: string): Promise<boolean> {
    const { repository, signal } = this.#deps
    try {
      return await repository.mount(digest, from, { signal })
    } catch (error) {
      const refused = ['permission_denied', 'unauthenticated', 'not_found'] as const
      if (refused.some((kind) => isKind(error, kind))) return false
      throw error
    }
  }

  async #sent(layer: LayerRow, wanted: LayerBlob | undefined): Promise<LayerBlob> {
    const { repository, store, signal, compression } = this.#deps
    const format = wanted === undefined ? compression : compressionOf(wanted.mediaType)
    const read = (): AsyncGenerator<Uint8Array> => {
      const tar = reportingBytes(
        store.deps.snapshots.tar(layer.diffId),
        (current) => this.#say(layer, 'Pushing', { current, total: layer.size }),
        layer.size,
      )
      return compress(tar, format, { signal, compressBlock: this.#deps.compressBlock })
    }
    const plain = format === 'none' ? { digest: layer.diffId, size: layer.size } : {}
    const source = { ...plain, read: (offset: number) => after(read(), offset) }
    const { digest, size } = await repository.upload(source, { signal })
    if (plain.digest !== undefined && digest !== plain.digest) throw wrongDigest(layer)
    this.#say(layer, 'Pushed')
    return { digest, size, mediaType: layerTypes[format] }
  }

  #say(layer: LayerRow, status: string, progressDetail: { current?: number; total?: number } = {}): void {
    this.#deps.report({ status, progressDetail, id: hexOf(layer.diffId).slice(0, 12) })
  }
}

const layerTypes: Readonly<Record<Compression, string>> = {
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
  none: mediaTypes.ociLayer,
}

function compressionOf(mediaType: string): Compression {
  if (mediaType.endsWith('gzip')) return 'gzip'
  return mediaType.endsWith('zstd') ? 'zstd' : 'none'
}

/** The same blob in the words of OCI's manifests. */
export function ociLayer({ digest, size, mediaType }: LayerBlob): LayerBlob {
  return { mediaType: layerTypes[compressionOf(mediaType)], digest, size }
}

function wantedFirst(rows: readonly LayerBlobRow[], wanted: LayerBlob | undefined): LayerBlobRow[] {
  return rows.toSorted((a, b) => Number(b.digest === wanted?.digest) - Number(a.digest === wanted?.digest))
}

/** Bytes before `offset` have arrived already; they are made again because nobody keeps them. */
async function* after(source: AsyncIterable<Uint8Array>, offset: number): AsyncGenerator<Uint8Array> {
  let skip = offset
  for await (const chunk of source) {
    if (skip < chunk.length) yield chunk.subarray(skip)
    skip = Math.max(0, skip - chunk.length)
  }
}

function wrongDigest({ diffId }: LayerRow): EngineError {
  return new EngineError('internal', `layer ${diffId} was sent with another digest`, {
    code: 'PUSH_DIGEST_DIFFERS',
  })
}
