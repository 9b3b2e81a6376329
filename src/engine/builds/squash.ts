import type { Digest } from '#base/digest.ts'
import type { History } from '#oci/image-spec.ts'
import { squashLayers } from '#oci/tar/squash.ts'
import { writeTar } from '#oci/tar/write-tar.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Addition } from '../images/addition.ts'
import type { BuiltImage } from './image-output.ts'

/** What writing layers anew needs. */
export interface Relayering {
  readonly addition: Pick<Addition, 'ingest'>
  readonly snapshots: Pick<Snapshots, 'tar'>
  readonly signal: AbortSignal
}

/**
 * `--squash`: what the build has added to its base becomes one layer. The history still tells every step, and at its end which
 * of them have become one.
 */
export async function squashed(
  image: BuiltImage,
  base: readonly Digest[],
  { addition, snapshots, signal }: Relayering,
): Promise<BuiltImage> {
  const { rootfs, history, created } = image.config
  const added = rootfs.diff_ids.slice(base.length)
  if (added.length < 2) return image
  const layers = added.map((diffId) => () => snapshots.tar(diffId))
  const { diffId } = await addition.ingest(writeTar(squashLayers(layers)), { signal })
  const end: History = {
    ...(created ? { created } : {}),
    comment: `${added.length} layers squashed into one`,
  }
  return {
    ...image,
    config: {
      ...image.config,
      rootfs: { ...rootfs, diff_ids: [...base, diffId] },
      history: [...withoutLayers(history ?? [], base.length), end],
    },
  }
}

/** Entries after the first `kept` layers have none any more. */
function withoutLayers(history: readonly History[], kept: number): readonly History[] {
  let layers = 0
  return history.map((entry) => {
    if (entry.empty_layer === true) return entry
    layers += 1
    return layers > kept ? { ...entry, empty_layer: true } : entry
  })
}
