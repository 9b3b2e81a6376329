import type { Digest } from '#base/digest.ts'
import { type Descriptor, isIndex, parseManifestOrIndex } from '#oci/image-spec.ts'
import type { ManifestRow } from '../storage/manifest-rows.ts'
import { isAttestation } from './artifact-kind.ts'
import type { PageDeps } from './deps.ts'

/** An image for one platform, as a tag or an index leads to it. */
export interface PlatformView {
  readonly os: string
  readonly architecture: string
  readonly variant: string | null
  readonly digest: Digest
  /** Bytes of config and layers as they are transferred; null when a cache does not have the manifest yet. */
  readonly size: number | null
}

type Reads = Pick<PageDeps, 'catalogue' | 'configs'>

/** The platforms of a manifest or an index; none for what is no image. */
export async function platformsOf(deps: Reads, row: ManifestRow): Promise<readonly PlatformView[]> {
  const bytes = deps.catalogue.manifests.bytes(row.repository, row.digest)
  if (bytes === undefined) return []
  const document = parseManifestOrIndex(bytes, { mediaType: row.mediaType })
  if (isIndex(document)) {
    return document.manifests
      .filter(({ annotations }) => !isAttestation(annotations))
      .map((child) => ofChild(deps, row.repository, child))
  }
  const config = row.config === undefined ? undefined : await deps.configs.read(row.config)
  if (config === undefined) return []
  const { os, architecture, variant } = config
  return [{ os, architecture, variant: variant ?? null, digest: row.digest, size: row.contentSize }]
}

function ofChild({ catalogue }: Reads, repository: string, { digest, platform }: Descriptor): PlatformView {
  return {
    os: platform?.os ?? 'unknown',
    architecture: platform?.architecture ?? 'unknown',
    variant: platform?.variant ?? null,
    digest,
    size: catalogue.manifests.get(repository, digest)?.contentSize ?? null,
  }
}
