import type { ImageService } from '../services.ts'
import { ImageArchive } from './image-archive.ts'
import { ImageCreation } from './image-creation.ts'
import { ImageQuery } from './image-query.ts'
import { ImageRemoval } from './image-removal.ts'
import { ImageManifests } from './image-manifests.ts'
import { type Image, type ImageDeps, ImageStore } from './image-store.ts'
import { imageFor } from './platform-choice.ts'

/**
 * The images of this host: the image service of the API, and what other parts of the engine need of images.
 *
 *     const images = openImages({ db, content, snapshots, events, inUse, logger, clock: Date.now })
 *     await images.recover()
 *     const image = await images.store.resolve('alpine:3.20')
 */
export interface Images extends ImageService {
  /** Resolves names, reads configs, adds images. */
  readonly store: ImageStore
  readonly creation: ImageCreation
  /** The image that a user's text leads to; with a platform the one for exactly that. Rejects with `not_found`. */
  resolve(ref: string, platform?: string): Promise<Image>
  /** At start: removes what a crash has left, layers and blobs that no image needs. */
  recover(): Promise<void>
  /** After a container is gone: removes images that were deleted while it needed them. */
  released(): Promise<void>
}

export function openImages(deps: ImageDeps): Images {
  const store = new ImageStore(deps)
  const query = new ImageQuery(store)
  const removal = new ImageRemoval(store)
  const archive = new ImageArchive(store)
  const creation = new ImageCreation(store)
  return {
    store,
    creation,
    resolve: (ref, platform) => imageFor(ref, platform, store, new ImageManifests(store)),
    recover: () => store.collector.collectAll(),
    released: () => store.collector.releaseHidden(),
    list: (options) => query.list(options),
    inspect: (ref, options) => query.inspect(ref, options),
    history: (ref, platform) => query.history(ref, platform),
    attestations: (ref, options) => query.attestations(ref, options),
    tag: (ref, repo, tag) => creation.tag(ref, repo, tag),
    remove: (ref, options) => removal.remove(ref, options),
    prune: (filters) => removal.prune(filters),
    planPrune: async (filters, without) => removal.planPrune(filters, without),
    planRemove: async (refs, options) => removal.planRemove(refs, options),
    load: (tar, options) => archive.load(tar, options),
    save: (refs, options) => archive.save(refs, options),
    import: (archive, options) => creation.import(archive, options),
  }
}
