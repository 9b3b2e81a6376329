import { HUB_AUTH_KEY, type RegistryAuth } from '#api/registry-auth.ts'
import type { Digest } from '#base/digest.ts'
import { messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { decompress } from '#oci/compression.ts'
import { Expansion } from '#oci/expansion.ts'
import { parseReference } from '#oci/reference.ts'
import type { RegistryClient } from '#registry/client/repository.ts'
import type { LayerBlobRow } from '#store/images.ts'
import { credentialsOf } from '../registries/credentials.ts'
import type { LayerSource } from './layer-source.ts'

/** Layers from the registries that they came from, asked with the credentials of who repairs. */
export class RegistryLayers implements LayerSource {
  readonly #client: Pick<RegistryClient, 'repository'>
  readonly #logger: Logger

  constructor(client: Pick<RegistryClient, 'repository'>, logger: Logger) {
    this.#client = client
    this.#logger = logger
  }

  async *fetch(diffId: Digest, options: Parameters<LayerSource['fetch']>[1]): AsyncGenerator<Uint8Array> {
    const { blobs, auths, signal } = options
    for (const [at, blob] of blobs.entries()) {
      let begun = false
      try {
        for await (const chunk of this.#read(blob, auths, signal)) {
          begun = true
          yield chunk
        }
        return
      } catch (error) {
        signal?.throwIfAborted()
        if (begun || at === blobs.length - 1) throw error
        const { repository } = blob
        this.#logger.warn('a layer cannot be had from where it came', {
          diffId,
          repository,
          reason: messageOf(error),
        })
      }
    }
  }

  async *#read(
    blob: LayerBlobRow,
    auths: ReadonlyMap<string, RegistryAuth> | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const { domain, path } = parseReference(blob.repository)
    const credentials = credentialsOf(auths?.get(domain === 'docker.io' ? HUB_AUTH_KEY : domain))
    const repository = this.#client.repository({ domain, path }, { credentials })
    const { chunks } = await repository.blob(blob, { signal })
    const expansion = new Expansion()
    // The caller checks the digest of what comes out.
    yield* expansion.into(decompress(expansion.from(chunks), { signal }))
  }
}
