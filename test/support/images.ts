import type { Digest } from '#base/digest.ts'
import { silentLogger } from '#base/logger.ts'
import { ImageQuery } from '#engine/images/image-query.ts'
import { ImageRemoval } from '#engine/images/image-removal.ts'
import { ImageStore, type ImageUser } from '#engine/images/image-store.ts'
import { encodeJson } from '#engine/images/manifest.ts'
import type { ExpansionLimits } from '#oci/expansion.ts'
import type { RunConfig } from '#oci/image-spec.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { writeTar } from '#oci/tar/write-tar.ts'
import { parseReference, withDefaultTag } from '#oci/reference.ts'
import { MemoryContent } from '#store/content/memory-content.ts'
import { openDatabase } from '#store/db.ts'
import { MemorySnapshots } from '#store/snapshots/memory-snapshots.ts'

export interface FakeImage {
  /** Name of the one file of each layer, bottom first. */
  readonly layers?: readonly string[]
  readonly names?: readonly string[]
  readonly created?: string
  readonly config?: RunConfig
  readonly architecture?: string
  readonly parentId?: Digest
  readonly history?: readonly object[]
}

export const NOW = Date.parse('2026-01-02T03:04:05Z')

/** Images over stores in memory, and a record of what happened. */
export function imagesForTest(options: { readonly expansion?: ExpansionLimits } = {}) {
  const db = openDatabase(':memory:', { logger: silentLogger })
  const content = new MemoryContent()
  const snapshots = new MemorySnapshots()
  const trace: string[] = []
  const users = new Map<Digest, ImageUser[]>()
  const store = new ImageStore({
    db,
    content,
    snapshots,
    events: {
      publish: (type, action, id, { name }) =>
        trace.push(`${type} ${action} ${id.slice(0, 11)} ${name ?? ''}`),
    },
    inUse: (id) => users.get(id) ?? [],
    logger: silentLogger,
    clock: () => NOW,
    ...options,
  })
  return {
    db,
    content,
    snapshots,
    trace,
    users,
    store,
    query: new ImageQuery(store),
    removal: new ImageRemoval(store),

    /** Adds an image as a pull would. */
    image: async (image: FakeImage = {}): Promise<Digest> => {
      await using addition = await store.add()
      const diffIds: Digest[] = []
      for (const text of image.layers ?? ['base']) {
        const layer = await addition.ingest(layerTar(text))
        diffIds.push(layer.diffId)
      }
      const config = encodeJson({
        architecture: image.architecture ?? 'amd64',
        os: 'linux',
        created: image.created ?? '2026-01-01T00:00:00Z',
        config: image.config ?? {},
        rootfs: { type: 'layers', diff_ids: diffIds },
        history:
          image.history ??
          diffIds.map((_, i) => ({ created_by: `step ${i}`, created: '2026-01-01T00:00:00Z' })),
      })
      const references = (image.names ?? []).map((name) => withDefaultTag(parseReference(name)))
      const [added] = await addition.commit([{ config, references, parentId: image.parentId }])
      return added!.id
    },

    /** Makes a container of an image, with its row. */
    container: (id: string, imageId: Digest, running = false): void => {
      users.set(imageId, [...(users.get(imageId) ?? []), { id, running }])
      db.run(
        "INSERT INTO containers (id, name, image_id, created_at, document, state) VALUES (?, ?, ?, '', '{}', '{}')",
        [id, id, imageId],
      )
    },

    /** What is on disk, in short: the names of the files of layers. */
    stored: async (): Promise<{ layers: string[]; blobs: number }> => {
      const layers: string[] = []
      for await (const { diffId } of snapshots.layers()) {
        for await (const { entry } of readTar(snapshots.tar(diffId))) layers.push(entry.path)
      }
      return { layers: layers.toSorted(), blobs: (await Array.fromAsync(content.list())).length }
    },
  }
}

export async function* chunks(...pieces: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece)
}

/** Bytes of a layer that layerTar() makes. */
export const LAYER_SIZE = 1536

/** A tar with one empty file. */
export function layerTar(name: string): AsyncGenerator<Uint8Array> {
  const mtime = { seconds: 0, nanoseconds: 0 }
  const entry = { type: 'file', path: name, mode: 0o644, uid: 0, gid: 0, mtime, size: 0 } as const
  return writeTar([{ entry, data: [] }])
}
