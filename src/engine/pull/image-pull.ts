import type { Digest } from '#base/digest.ts'
import { engineErrorOf, isKind } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { hostPlatform, type Platform, platformDistance } from '#oci/platform.ts'
import { formatFamiliar, formatReference, type Reference, repositoryOf } from '#oci/reference.ts'
import type { Repository } from '#registry/client/repository.ts'
import type { Ingests } from '#store/ingests/ingests.ts'
import type { AddedImage } from '../images/addition.ts'
import type { ImageStore } from '../images/image-store.ts'
import type { ProgressMessage } from '../services.ts'
import { fetchAttestations } from './attestations.ts'
import type { LayerFetches } from './layer-fetches.ts'
import { layerLine } from './layer-line.ts'
import { remoteImage, type RemoteImage, type RemoteLayer } from './remote-image.ts'
import { checkSpace } from './space.ts'

export interface ImagePullDeps {
  readonly store: ImageStore
  readonly ingests: Ingests
  readonly layers: LayerFetches
  readonly freeSpace: () => Promise<number>
  readonly logger: Logger
}

export interface PullRequest {
  /** With a tag or a digest. */
  readonly reference: Reference
  readonly repository: Repository
  readonly platform: Platform | undefined
  readonly report: (message: ProgressMessage) => void
  readonly signal: AbortSignal
}

/** Pulls one image by one name. Nothing of it is visible before all of it is durable. */
export class ImagePull {
  readonly #deps: ImagePullDeps

  constructor(deps: ImagePullDeps) {
    this.#deps = deps
  }

  /** True when the name leads to another image than before, or something had to be fetched. */
  async pull(request: PullRequest): Promise<boolean> {
    const { reference, report } = request
    const current = await this.#current(request)
    const begin = (): void => report({ status: `Pulling from ${reference.path}`, id: nameOf(reference) })
    if (current !== undefined) {
      begin()
      report({ status: `Digest: ${current}` })
      return false
    }
    const { content } = this.#deps.store.deps
    const familiar = formatFamiliar(reference)
    const image = await remoteImage(request.repository, nameOf(reference), { ...request, familiar, content })
    begin()
    const changed = await this.#bring(image, request)
    report({ status: `Digest: ${image.target.digest}` })
    return changed
  }

  /** The digest the name leads to in the registry, when that is what is here, whole. */
  async #current({ reference, repository, platform, signal }: PullRequest): Promise<Digest | undefined> {
    const { store } = this.#deps
    const name = formatReference(reference)
    const target = store.references.target(name)
    const id = store.references.get(name)
    if (target === undefined || id === undefined) return undefined
    let remote: Digest | undefined
    try {
      remote = (await repository.resolve(nameOf(reference), { signal }))?.digest
    } catch (error) {
      // The answer to a HEAD has no text; that to the GET, which follows, says what is wrong.
      if (signal.aborted || isKind(error, 'unavailable')) throw error
    }
    return remote === target && (await this.#isWhole(id, target, platform ?? hostPlatform()))
      ? target
      : undefined
  }

  async #isWhole(id: Digest, target: Digest, wanted: Platform): Promise<boolean> {
    const { store } = this.#deps
    try {
      const { config, layers } = await store.resolve(id)
      const platform = {
        os: config.os,
        architecture: config.architecture,
        variant: config.variant ?? undefined,
      }
      if (platformDistance(wanted, platform) !== 0) return false
      await store.deps.content.read(id)
      await store.deps.content.read(target)
      for (const diffId of layers) if ((await store.deps.snapshots.layer(diffId)) === undefined) return false
      return true
    } catch (error) {
      if (isKind(error, 'data_loss') || isKind(error, 'not_found')) return false
      throw error
    }
  }

  async #bring(image: RemoteImage, request: PullRequest): Promise<boolean> {
    const { store, ingests, logger } = this.#deps
    const { reference, repository, signal } = request
    // Held from here on, so that no layer goes before there is an image that needs it.
    await using addition = await store.add()
    const [fetched, attestations] = await settledTogether(
      (either) => this.#fetchLayers(image.layers, { ...request, signal: either }),
      (either) => fetchAttestations(repository, image.attestations, { signal: either, logger }),
      signal,
    )
    const before = store.references.get(formatReference(reference))
    const { digest } = image.target
    const [added] = await addition.commit(
      [
        {
          config: image.config.bytes,
          references: [
            reference,
            ...(reference.digest === undefined ? [{ ...reference, tag: undefined, digest }] : []),
          ],
          target: digest,
          manifests: [...image.documents, ...attestations],
          layerBlobs: image.layers.map(({ blob, diffId }) => ({
            diffId,
            repository: repositoryOf(reference),
            digest: blob.digest,
            mediaType: blob.mediaType,
            size: blob.size,
          })),
        },
      ],
      { signal },
    )
    for (const { blob } of image.layers) await ingests.remove(blob.digest)
    this.#announce(added, reference)
    return fetched || added?.id !== before
  }

  /** False when all were here. */
  async #fetchLayers(layers: readonly RemoteLayer[], request: PullRequest): Promise<boolean> {
    const { store, ingests, freeSpace } = this.#deps
    const { report, signal } = request
    const missing = new Map<Digest, RemoteLayer>()
    for (const layer of layers) {
      const there = (await store.deps.snapshots.layer(layer.diffId)) !== undefined
      report(layerLine(layer.blob.digest, there ? 'Already exists' : 'Pulling fs layer'))
      if (!there) missing.set(layer.diffId, layer)
    }
    if (missing.size === 0) return false
    const wanted = [...missing.values()]
    checkSpace(
      wanted.map(({ blob }) => blob),
      await ingests.list(),
      await freeSpace(),
    )
    try {
      await this.#fetchAll(layers, wanted, { ...request, report, signal })
    } catch (error) {
      // A full disk harms everybody; what has come of this image is the first thing to give up.
      if (/^(DISK_FULL|PULL_NO_SPACE)$/.test(engineErrorOf(error)?.code ?? '')) {
        for (const { blob } of wanted) await ingests.remove(blob.digest)
      }
      throw error
    }
    return true
  }

  async #fetchAll(
    layers: readonly RemoteLayer[],
    missing: readonly RemoteLayer[],
    { repository, report, signal }: PullRequest,
  ): Promise<void> {
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    const fetches = new Map<Digest, Promise<void>>()
    for (const { blob, diffId } of missing) {
      const below = layers.slice(
        0,
        layers.findIndex((layer) => layer.diffId === diffId),
      )
      const parents = async (): Promise<readonly Digest[]> => {
        for (const layer of below) await fetches.get(layer.diffId)
        return below.map((layer) => layer.diffId)
      }
      const fetching = this.#deps.layers.fetch(
        { blob, diffId, repository, parents },
        { report, signal: either },
      )
      fetches.set(diffId, fetching)
      // The others have come far enough: they stay as they are for the next time.
      fetching.catch((error: unknown) => stop.abort(error))
    }
    await Promise.allSettled(fetches.values())
    signal.throwIfAborted()
    stop.signal.throwIfAborted()
  }

  #announce(image: AddedImage | undefined, reference: Reference): void {
    if (image !== undefined) this.#deps.store.events.pulled(reference, image.labels)
  }
}

/** What the registry is asked for: a digest says more than a tag. */
function nameOf({ tag, digest }: Reference): string {
  return digest ?? tag ?? 'latest'
}

/** Both results; when one fails the other is aborted, and waited for. */
async function settledTogether<A, B>(
  first: (signal: AbortSignal) => Promise<A>,
  second: (signal: AbortSignal) => Promise<B>,
  signal: AbortSignal,
): Promise<[A, B]> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const both = [first(either), second(either)] as const
  for (const one of both) one.catch((error: unknown) => stop.abort(error))
  await Promise.allSettled(both)
  return Promise.all(both)
}
