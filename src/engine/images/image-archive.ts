import type { Digest } from '#base/digest.ts'
import { hexOf } from '#base/digest.ts'
import { type Descriptor, mediaTypes } from '#oci/image-spec.ts'
import {
  formatFamiliar,
  formatReference,
  parseAnyReference,
  parseReference,
  type Reference,
  repositoryOf,
} from '#oci/reference.ts'
import type { TarEntry } from '#oci/tar/entry.ts'
import { type TarSource, writeTar } from '#oci/tar/write-tar.ts'
import type { LayerRow } from '#store/images.ts'
import type { ProgressMessage } from '../services.ts'
import { readArchive } from './archive-contents.ts'
import { planImages } from './archive-plan.ts'
import { invalidImage, missingLayer } from './errors.ts'
import type { Image, ImageStore } from './image-store.ts'
import { encodeJson, manifestOf } from './manifest.ts'
import { reporting } from './progress.ts'

/** Images as archives: what docker save and docker load exchange. */
export class ImageArchive {
  readonly #store: ImageStore

  constructor(store: ImageStore) {
    this.#store = store
  }

  /**
   * Loads docker archives, OCI layouts and their union, compressed or not. All images of an archive become visible
   * together at the end, or none.
   */
  load(
    archive: AsyncIterable<Uint8Array>,
    options: { readonly quiet: boolean; readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<ProgressMessage> {
    return reporting(async (report, signal) => {
      await using addition = await this.#store.add()
      const contents = await readArchive(archive, addition, {
        signal,
        report: options.quiet ? () => undefined : report,
      })
      const added = await addition.commit(planImages(contents), { signal })
      for (const { id, labels, taken, references } of added) {
        for (const { reference, from } of taken) {
          report({
            stream: `The image ${formatFamiliar(reference)} already exists, renaming the old one with ID ${from} to empty string\n`,
          })
        }
        for (const reference of references) report({ stream: `Loaded image: ${formatFamiliar(reference)}\n` })
        if (references.length === 0) report({ stream: `Loaded image ID: ${id}\n` })
        this.#store.events.publish('load', { id, labels })
      }
    }, options)
  }

  /** An OCI layout that is a docker archive as well; the same bytes for the same images and names. */
  async save(
    refs: readonly string[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const images = await this.#select(refs)
    return this.#write(images, options.signal)
  }

  async *#write(images: readonly SavedImage[], signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    // Held so that a layer cannot be removed while it is being sent.
    await using _held = await this.#store.collector.hold()
    for await (const chunk of writeTar(this.#entries(images))) {
      signal?.throwIfAborted()
      yield chunk
    }
    for (const { image } of images) this.#store.events.publish('save', image)
  }

  *#entries(images: readonly SavedImage[]): Generator<TarSource> {
    yield* file('oci-layout', encodeJson({ imageLayoutVersion: '1.0.0' }))
    yield* file(
      'index.json',
      encodeJson({
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: images.flatMap(indexEntries),
      }),
    )
    yield* file('manifest.json', encodeJson(images.map(dockerEntry)))
    yield directory('blobs')
    yield directory('blobs/sha256')

    const written = new Set<Digest>()
    const isNew = (digest: Digest): boolean => !written.has(digest) && written.add(digest) !== undefined
    for (const { image, config, manifest } of images) {
      if (isNew(image.id)) yield* file(pathOf(image.id), config)
      if (isNew(manifest.descriptor.digest)) yield* file(pathOf(manifest.descriptor.digest), manifest.bytes)
    }
    for (const { layers } of images) {
      for (const { diffId, size } of layers) {
        if (!isNew(diffId)) continue
        yield {
          entry: { ...member('file', pathOf(diffId)), size },
          data: this.#store.deps.snapshots.tar(diffId),
        }
      }
    }
  }

  /** Everything that can be missing is looked for before the first byte is sent. */
  async #select(refs: readonly string[]): Promise<SavedImage[]> {
    if (refs.length === 0) throw invalidImage('no image to save')
    const selected = new Map<Digest, Set<string>>()
    for (const ref of refs) {
      for (const [id, name] of this.#namesFor(ref)) {
        const names = selected.get(id) ?? new Set()
        selected.set(id, names)
        if (name !== undefined) names.add(name)
      }
    }
    const saved: SavedImage[] = []
    for (const [id, names] of selected) {
      const image = await this.#store.resolve(id)
      const config = await this.#store.deps.content.read(id)
      const layers: LayerRow[] = []
      for (const diffId of image.layers) {
        const layer = await this.#store.deps.snapshots.layer(diffId)
        if (layer === undefined) throw missingLayer(diffId, id)
        layers.push({ diffId, size: layer.size })
      }
      const references = [...names].toSorted().map(parseReference)
      saved.push({ image, references, config, layers, manifest: manifestOf(config, layers) })
    }
    return saved
  }

  /** A repository without a tag means all of its tags; ids and digests carry no name. */
  #namesFor(ref: string): readonly (readonly [id: Digest, name: string | undefined])[] {
    const parsed = parseAnyReference(ref)
    if (parsed.kind === 'name') {
      const { reference } = parsed
      if (reference.tag === undefined && reference.digest === undefined) {
        const all = this.#store.references.list().filter(({ name }) => {
          const other = parseReference(name)
          return other.tag !== undefined && repositoryOf(other) === repositoryOf(reference)
        })
        if (all.length > 0) return all.map(({ name, imageId }) => [imageId, name])
      }
      const name = formatReference({ ...reference, digest: undefined })
      if (reference.tag !== undefined && reference.digest === undefined) {
        const id = this.#store.lookup(ref)
        return [[id, this.#store.references.get(name) === id ? name : undefined]]
      }
    }
    return [[this.#store.lookup(ref), undefined]]
  }
}

interface SavedImage {
  readonly image: Image
  readonly references: readonly Reference[]
  readonly config: Uint8Array
  readonly layers: readonly LayerRow[]
  readonly manifest: { readonly bytes: Uint8Array; readonly descriptor: Descriptor }
}

function indexEntries({ references, manifest, image }: SavedImage): Descriptor[] {
  const { architecture, os, variant } = image.config
  const platform = { architecture, os, ...(variant ? { variant } : {}) }
  const descriptor = { ...manifest.descriptor, platform }
  if (references.length === 0) return [descriptor]
  return references.map((reference) => ({
    ...descriptor,
    annotations: {
      'io.containerd.image.name': formatReference(reference),
      'org.opencontainers.image.ref.name': reference.tag ?? '',
    },
  }))
}

function dockerEntry({ image, references, layers }: SavedImage): object {
  return {
    Config: pathOf(image.id),
    RepoTags: references.length === 0 ? null : references.map(formatFamiliar),
    Layers: layers.map(({ diffId }) => pathOf(diffId)),
  }
}

function pathOf(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`
}

function* file(path: string, bytes: Uint8Array): Generator<TarSource> {
  yield { entry: { ...member('file', path), size: bytes.length }, data: [bytes] }
}

function directory(path: string): TarSource {
  return { entry: member('directory', path), data: [] }
}

function member(type: 'file' | 'directory', path: string): TarEntry {
  const mode = type === 'file' ? 0o644 : 0o755
  return { type, path, mode, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, size: 0 }
}
