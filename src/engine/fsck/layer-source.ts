import type { RegistryAuth } from '#api/registry-auth.ts'
import type { Digest } from '#base/digest.ts'
import type { LayerBlobRow } from '#store/images.ts'

/** Where a layer can be had again, alone: the registries that it once came from. */
export interface LayerSource {
  /**
   * The plain (uncompressed) tar of the layer from one of `blobs`, tried in order. Rejects when none of them has it or
   * answers; the bytes are not believed.
   */
  fetch(
    diffId: Digest,
    options: {
      readonly blobs: readonly LayerBlobRow[]
      /** Who asks which registry; others are asked anonymously. */
      readonly auths?: ReadonlyMap<string, RegistryAuth> | undefined
      readonly signal?: AbortSignal | undefined
    },
  ): AsyncIterable<Uint8Array>
}
