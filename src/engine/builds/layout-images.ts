import { EngineError } from '#base/errors.ts'
import type { Digest } from '#base/digest.ts'
import { digestOf } from '#base/digest.ts'
import type { ResolvedImage } from '#build/graph/plan.ts'
import type { Platform } from '#oci/platform.ts'
import type { Addition } from '../images/addition.ts'
import { OciLayout } from './oci-layout.ts'

/** Where a named context says its image lies: `oci-layout://PATH[:TAG][@DIGEST]`. */
export interface LayoutPlace {
  readonly path: string
  /** Tag or digest. */
  readonly reference: string | undefined
}

/** The name by which a build calls the image of such a context; no reference of a registry looks so. */
export function layoutReference(context: string): string {
  return `oci-layout://${context}`
}

/** The image, its layers in the store. */
export async function layoutImage(
  name: string,
  { path, reference }: LayoutPlace,
  platform: Platform,
  { addition, signal }: { readonly addition: Pick<Addition, 'ingest'>; readonly signal: AbortSignal },
): Promise<ResolvedImage> {
  const layout = new OciLayout(path)
  const entry = await layout.find(reference)
  if (entry === undefined) {
    throw new EngineError('not_found', `no image ${reference ?? 'latest'} in the OCI layout ${path}`, {
      code: 'LAYOUT_IMAGE_NOT_FOUND',
      details: { path },
    })
  }
  const { descriptor, manifest, config } = await layout.image(entry, platform)
  const layers: Digest[] = []
  for (const [at, expected] of config.document.rootfs.diff_ids.entries()) {
    const blob = manifest.layers[at]
    if (blob === undefined)
      throw new EngineError('data_loss', `image in ${path}: a layer is missing`, { code: 'LAYOUT_DAMAGED' })
    const parents = (): Promise<readonly Digest[]> => Promise.resolve(layers)
    await addition.ingest(layout.layer(blob.digest, signal), { expected, parents, signal })
    layers.push(expected)
  }
  return {
    id: digestOf(config.bytes),
    manifest: descriptor.digest,
    reference: name,
    config: config.document,
    layers,
  }
}
