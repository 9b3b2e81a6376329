import { createHash } from 'node:crypto'
import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import type { IngestOptions, Layer, RootMount, Snapshots, View } from '#store/snapshots/snapshots.ts'

function sha256(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** Layers in memory; of the snapshots only their existence. Anything is taken for a tar whose first byte is not `!`. */
export class MemorySnapshots implements Snapshots {
  readonly driver = 'directory'
  readonly tars = new Map<Digest, Uint8Array>()
  readonly prepared = new Map<string, readonly Digest[]>()

  async ingest(tar: AsyncIterable<Uint8Array>, options: IngestOptions = {}): Promise<Layer> {
    const chunks: Uint8Array[] = []
    for await (const chunk of tar) {
      options.signal?.throwIfAborted()
      chunks.push(Uint8Array.from(chunk))
    }
    const bytes = Buffer.concat(chunks)
    if (bytes[0] === 0x21) {
      throw new EngineError('invalid_argument', 'invalid tar archive: as asked for', { code: 'TAR_INVALID' })
    }
    const diffId = sha256(bytes)
    if (options.expected !== undefined && options.expected !== diffId)
      throw wrongDigest(options.expected, diffId)
    this.tars.set(diffId, bytes)
    return { diffId, size: bytes.length, stored: bytes.length }
  }

  async layer(diffId: Digest): Promise<Layer | undefined> {
    const bytes = this.tars.get(diffId)
    return bytes && { diffId, size: bytes.length, stored: bytes.length }
  }

  async *tar(diffId: Digest): AsyncIterable<Uint8Array> {
    const bytes = this.tars.get(diffId)
    if (bytes === undefined) {
      throw new EngineError('not_found', `layer ${diffId} not found`, { code: 'LAYER_NOT_FOUND' })
    }
    // Small odd pieces: readers must not rely on chunk borders.
    for (let at = 0; at < bytes.length; at += 777) yield bytes.subarray(at, at + 777)
  }

  async *layers(): AsyncIterable<Layer> {
    for (const [diffId, { length }] of this.tars) yield { diffId, size: length, stored: length }
  }

  async removeLayer(diffId: Digest): Promise<void> {
    this.tars.delete(diffId)
  }

  async prepare(id: string, layers: readonly Digest[]): Promise<void> {
    this.prepared.set(id, layers)
  }

  async root(id: string): Promise<RootMount> {
    return { lower: [], upper: `/upper/${id}`, work: `/work/${id}` }
  }

  async view(): Promise<View> {
    return { path: '/view', [Symbol.asyncDispose]: async () => undefined }
  }

  async usage(): Promise<number> {
    return 0
  }

  async snapshots(): Promise<readonly string[]> {
    return [...this.prepared.keys()]
  }

  async remove(id: string): Promise<void> {
    this.prepared.delete(id)
  }
}

function wrongDigest(expected: Digest, actual: Digest): EngineError {
  return new EngineError('invalid_argument', `digest is ${actual}, expected ${expected}`, {
    code: 'DIGEST_MISMATCH',
  })
}
