import type { Digest } from '#base/digest.ts'
import { ResultRows } from '#store/build-cache/result-rows.ts'
import type { Database } from '#store/db.ts'
import { VolumeRows } from '#store/volumes.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import { runOf } from '../containers/state.ts'
import type { ImageStore } from '../images/image-store.ts'
import type { KnownObjects } from './disk-account.ts'

export interface KnownObjectsDeps {
  readonly db: Database
  readonly registry: ContainerRegistry
  readonly images: ImageStore
  /** Ids of build steps that have something right now. */
  readonly steps?: (() => ReadonlySet<string>) | undefined
}

/** Everything on disk that a row explains, read at one instant. */
export function knownObjects({ db, registry, images, steps }: KnownObjectsDeps): KnownObjects {
  const containers = registry.all()
  const volumes = new VolumeRows(db)
  const used = new Set(containers.flatMap(({ imageId }) => imageId ?? []))
  return {
    layers: new Set(images.layers.sizes().keys()),
    layersInUse: new Set([
      ...containers.flatMap(({ layers }) => layers),
      ...[...used].flatMap((id) => images.rows.layers(id)),
    ]),
    blobs: images.layers.blobs(),
    blobsInUse: new Set<Digest>([
      ...used,
      ...[...used].flatMap((id) => images.rows.manifests(id).map(({ digest }) => digest)),
    ]),
    containers: new Map(containers.map(({ id, state }) => [id, runOf(state) !== undefined])),
    volumes: new Map(volumes.all().map(({ name }) => [name, volumes.users(name).length > 0])),
    cachedLayers: new ResultRows(db).ownLayers(),
    steps: steps?.() ?? new Set(),
    adding: images.collector.isHeld,
  }
}
