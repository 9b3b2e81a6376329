import type { Digest } from '#base/digest.ts'
import { hexOf } from '#base/digest.ts'
import { Expansion } from '#oci/expansion.ts'
import { type Descriptor, mediaTypes } from '#oci/image-spec.ts'
import {
  formatFamiliar,
  formatReference,
  parseAnyReference,
  parseReference,
  repositoryOf,
} from '#oci/reference.ts'
import { parsePlatform } from '#oci/platform.ts'
import type { TarEntry } from '#oci/tar/entry.ts'
import { type TarSource, writeTar } from '#oci/tar/write-tar.ts'
import type { ProgressMessage } from '../services.ts'
import { readArchive } from './archive-contents.ts'
import { missing } from './archive-members.ts'
import { planImages } from './archive-plan.ts'
import { invalidImage } from './errors.ts'
import { ImageManifests } from './image-manifests.ts'
import type { ImageStore } from './image-store.ts'
import { encodeJson } from './manifest.ts'
import { reporting } from './progress.ts'
import { type Saved, type SavedImage, SavedImages, type SavedRoot, type Selected } from './saved-images.ts'

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
    options: {
      readonly quiet: boolean
      /** Only these of what the archive has; `os/architecture[/variant]`. */
      readonly platforms?: readonly string[] | undefined
      readonly signal?: AbortSignal | undefined
    },
  ): AsyncIterable<ProgressMessage> {
    return reporting(async (report, signal) => {
      await using addition = await this.#store.add()
      const contents = await readArchive(archive, addition, {
        signal,
        report: options.quiet ? () => undefined : report,
        expansion: new Expansion(this.#store.deps.expansion),
      })
      const platforms = (options.platforms ?? []).map(parsePlatform)
      const planned = planImages(contents, platforms)
      for (const { path, diffId } of planned.flatMap(({ unsent = [] }) => unsent)) {
        const stored = await this.#store.deps.snapshots.layer(diffId)
        if (stored === undefined) throw missing(contents, path)
      }
      const added = await addition.commit(planned, { signal })
      const named = new Set(
        planned.flatMap(({ references, target }) => (references.length > 0 ? target : [])),
      )
      for (const [at, { id, labels, taken, references }] of added.entries()) {
        for (const { reference, from } of taken) {
          report({
            stream: `The image ${formatFamiliar(reference)} already exists, renaming the old one with ID ${from} to empty string\n`,
          })
        }
        for (const reference of references) report({ stream: `Loaded image: ${formatFamiliar(reference)}\n` })
        // Another platform of an image that has a name is not an image of its own to people.
        const target = planned[at]?.target
        const isVariant = target !== undefined && named.has(target)
        if (references.length === 0 && !isVariant) report({ stream: `Loaded image ID: ${id}\n` })
        this.#store.events.publish('load', { id, labels })
      }
    }, options)
  }

  /** An OCI layout that is a docker archive as well; the same bytes for the same images and names. */
  async save(
    refs: readonly string[],
    options: {
      /** Only these of what is here; `os/architecture[/variant]`. */
      readonly platforms?: readonly string[] | undefined
      readonly signal?: AbortSignal | undefined
    } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    if (refs.length === 0) throw invalidImage('no image to save')
    // Everything that can be missing is looked for before the first byte is sent.
    const saved = new SavedImages(
      this.#store,
      new ImageManifests(this.#store),
      (options.platforms ?? []).map(parsePlatform),
    )
    for (const ref of refs) {
      for (const selected of this.#select(ref)) await saved.add(selected)
    }
    return this.#write(saved.finish(), options.signal)
  }

  async *#write(saved: Saved, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    // Held so that a layer cannot be removed while it is being sent.
    await using _held = await this.#store.collector.hold()
    for await (const chunk of writeTar(this.#entries(saved))) {
      signal?.throwIfAborted()
      yield chunk
    }
    for (const { image } of saved.images) this.#store.events.publish('save', image)
  }

  *#entries({ roots, images, documents }: Saved): Generator<TarSource> {
    yield* file('oci-layout', encodeJson({ imageLayoutVersion: '1.0.0' }))
    const manifests = roots.flatMap(indexEntries)
    yield* file('index.json', encodeJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }))
    yield* file('manifest.json', encodeJson(images.map(dockerEntry)))
    yield directory('blobs')
    yield directory('blobs/sha256')

    const written = new Set<Digest>()
    const isNew = (digest: Digest): boolean => !written.has(digest) && written.add(digest) !== undefined
    const configs = images.map(({ image, config }) => ({ digest: image.id, bytes: config }))
    for (const { digest, bytes } of [...configs, ...documents]) {
      if (isNew(digest)) yield* file(pathOf(digest), bytes)
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

  /** A repository without a tag means all of its tags; ids and digests carry no name. */
  #select(ref: string): readonly Selected[] {
    const parsed = parseAnyReference(ref)
    if (parsed.kind === 'name') {
      const { reference } = parsed
      if (reference.tag === undefined && reference.digest === undefined) {
        const all = this.#store.references.list().filter(({ name }) => {
          const other = parseReference(name)
          return other.tag !== undefined && repositoryOf(other) === repositoryOf(reference)
        })
        if (all.length > 0) return all
      }
      const name = formatReference({ ...reference, digest: undefined })
      if (reference.tag !== undefined && reference.digest === undefined) {
        const id = this.#store.lookup(ref)
        return [{ imageId: id, name: this.#store.references.get(name) === id ? name : undefined }]
      }
    }
    return [{ imageId: this.#store.lookup(ref), name: undefined }]
  }
}

function indexEntries({ references, descriptor }: SavedRoot): Descriptor[] {
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
