import type { Digest } from '#base/digest.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { type TarSource, writeTar } from '#oci/tar/write-tar.ts'
import type { BuiltImage } from './image-output.ts'
import type { Relayering } from './squash.ts'

/**
 * `rewrite-timestamp=true`: no file that the build has made is of a later time than `epoch` (seconds), so that building again
 * gives the same bytes. Layers of the base stay as they are.
 */
export async function withTimes(
  image: BuiltImage,
  base: readonly Digest[],
  epoch: number,
  { addition, snapshots, signal }: Relayering,
): Promise<BuiltImage> {
  const { rootfs } = image.config
  const layers: Digest[] = []
  for (const diffId of rootfs.diff_ids.slice(base.length)) {
    const tar = writeTar(clamped(snapshots.tar(diffId), epoch))
    layers.push((await addition.ingest(tar, { signal, parents: async () => [...base, ...layers] })).diffId)
  }
  return { ...image, config: { ...image.config, rootfs: { ...rootfs, diff_ids: [...base, ...layers] } } }
}

async function* clamped(tar: AsyncIterable<Uint8Array>, epoch: number): AsyncGenerator<TarSource> {
  for await (const { entry, data } of readTar(tar)) {
    const { seconds } = entry.mtime
    const isLater = seconds > epoch || (seconds === epoch && entry.mtime.nanoseconds > 0)
    yield { entry: isLater ? { ...entry, mtime: { seconds: epoch, nanoseconds: 0 } } : entry, data }
  }
}
