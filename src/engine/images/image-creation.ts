import { EngineError } from '#base/errors.ts'
import type { Digest } from '#base/digest.ts'
import { decompress } from '#oci/compression.ts'
import { Expansion } from '#oci/expansion.ts'
import type { History, ImageConfig, RunConfig } from '#oci/image-spec.ts'
import { hostPlatform, parsePlatform, type Platform, platformOf } from '#oci/platform.ts'
import {
  familiarName,
  formatFamiliar,
  parseReference,
  type Reference,
  withDefaultTag,
  withTag,
} from '#oci/reference.ts'
import type { ProgressMessage } from '../services.ts'
import { applyChanges } from './changes.ts'
import type { AddedImage } from './addition.ts'
import { noSuchImage, unsupportedSystem } from './errors.ts'
import { ImageManifests } from './image-manifests.ts'
import { type ImageStore, keyOf } from './image-store.ts'
import { encodeJson } from './manifest.ts'
import { openRemoteArchive, type RemoteArchive } from './remote-archive.ts'
import { reporting, reportingBytes } from './progress.ts'

export interface ImportOptions {
  readonly repo?: string | undefined
  readonly tag?: string | undefined
  readonly message: string
  readonly changes: readonly string[]
  readonly platform?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** A new image on top of another one: what commit and the builder make. */
export interface LayerCommit {
  /** The image below; none for an image from scratch. */
  readonly parent?: Digest | undefined
  /** Uncompressed tar of the changes; undefined when only the config is new. */
  readonly layer?: AsyncIterable<Uint8Array> | undefined
  readonly config: RunConfig
  readonly author?: string | undefined
  readonly comment?: string | undefined
  /** What made the layer, for the history. */
  readonly createdBy?: string | undefined
  /** Needs a tag. */
  readonly reference?: Reference | undefined
  /** Of an image without a parent; the host's by default. */
  readonly platform?: Platform | undefined
  readonly signal?: AbortSignal | undefined
}

/** The tar of no files: a layer that would change nothing. */
const EMPTY_LAYER: Digest = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef'

/** Makes images from what is not one yet, and gives images names. */
export class ImageCreation {
  readonly #store: ImageStore

  constructor(store: ImageStore) {
    this.#store = store
  }

  /**
   * Makes a root filesystem, compressed or not, an image of one layer: the bytes, or what the daemon finds at an address.
   * Docker's last line is the id.
   */
  import(
    archive: AsyncIterable<Uint8Array> | string,
    options: ImportOptions,
  ): AsyncIterable<ProgressMessage> {
    return reporting(async (report, signal) => {
      const references = options.repo ? [tagReference(options.repo, options.tag)] : []
      const config = applyChanges({}, options.changes)
      const platform = options.platform ? parsePlatform(options.platform) : hostPlatform()
      if (platform.os !== 'linux') throw unsupportedSystem(platform)

      const from = await sourceOf(archive, signal)
      if (from.url !== '-') report({ status: `Downloading from ${from.url}` })
      await using addition = await this.#store.add()
      const { size: total } = from
      const counted = reportingBytes(
        from.bytes,
        (current) =>
          report({
            status: 'Importing',
            id: 'import',
            progressDetail: total === undefined ? { current } : { current, total },
          }),
        total ?? 0,
      )
      // Who sends the archive sees how far it is, and may take the head of the answer for the image being there.
      const source = from.url === '-' ? from.bytes : counted
      const expansion = new Expansion(this.#store.deps.expansion)
      const tar = expansion.into(decompress(expansion.from(source), { signal }))
      const layer = await addition.ingest(tar, { signal })
      const created = this.#now()
      const comment = options.message || `Imported from ${from.url}`
      const document = imageConfig({
        platform,
        created,
        comment,
        config,
        diffIds: [layer.diffId],
        history: [{ created, comment }],
      })
      const [image] = await addition.commit([{ config: encodeJson(document), references }], { signal })
      this.#announce(image, 'import')
      report({ status: image?.id ?? '' })
    }, options)
  }

  /** Adds a layer and a config to an image. The history tells both. */
  async commitLayer(options: LayerCommit): Promise<{ readonly id: Digest }> {
    const { signal, parent: parentId, reference } = options
    await using addition = await this.#store.add()
    // By its config: a container may be committed after its image was deleted by force.
    const parent = parentId === undefined ? undefined : await this.#store.config(parentId)
    const layer = options.layer === undefined ? undefined : await addition.ingest(options.layer, { signal })
    const isEmpty = layer === undefined || layer.diffId === EMPTY_LAYER
    const created = this.#now()
    const step: History = {
      created,
      ...(options.author ? { author: options.author } : {}),
      ...(options.createdBy ? { created_by: options.createdBy } : {}),
      ...(options.comment ? { comment: options.comment } : {}),
      ...(isEmpty ? { empty_layer: true } : {}),
    }
    const document = imageConfig({
      platform: parent === undefined ? (options.platform ?? hostPlatform()) : platformOf(parent),
      created,
      author: options.author,
      comment: options.comment,
      config: options.config,
      diffIds: [...(parent?.rootfs.diff_ids ?? []), ...(isEmpty ? [] : [layer.diffId])],
      history: [...(parent?.history ?? []), step],
    })
    const [image] = await addition.commit(
      [{ config: encodeJson(document), parentId, references: reference === undefined ? [] : [reference] }],
      { signal },
    )
    if (image === undefined) {
      throw new EngineError('internal', 'commit made no image', { code: 'IMAGE_COMMIT' })
    }
    this.#announce(image, 'create')
    return { id: image.id }
  }

  /** Gives an image another name; the image that had it keeps its other ones. */
  async tag(ref: string, repo: string, tag: string | undefined): Promise<void> {
    const reference = tagReference(repo, tag)
    const { rows, references, events, deps } = this.#store
    const image = rows.get(this.#store.lookup(ref))
    if (image === undefined) throw noSuchImage(ref)
    const target = new ImageManifests(this.#store).target(ref)
    references.put(keyOf(reference), image.id, deps.clock(), target)
    await deps.db.durable()
    events.publish('tag', image, formatFamiliar(reference))
  }

  #announce(image: AddedImage | undefined, action: 'import' | 'create'): void {
    if (image === undefined) return
    this.#store.events.publish(action, image)
    for (const reference of image.references) {
      this.#store.events.publish('tag', image, formatFamiliar(reference))
    }
  }

  #now(): string {
    return new Date(this.#store.deps.clock()).toISOString()
  }
}

async function sourceOf(
  archive: AsyncIterable<Uint8Array> | string,
  signal: AbortSignal,
): Promise<RemoteArchive> {
  return typeof archive === 'string'
    ? openRemoteArchive(archive, { signal })
    : { url: '-', size: undefined, bytes: archive }
}

/** `repo` and `tag` of a query: `tag` replaces one in `repo`, `latest` is the default. */
export function tagReference(repo: string, tag: string | undefined): Reference {
  const parsed = parseReference(repo)
  if (parsed.digest !== undefined) throw refused('cannot import digest reference')
  const reference = tag ? withTag(parsed, tag) : withDefaultTag(parsed)
  if (familiarName(reference) === 'sha256') {
    throw refused('refusing to create an ambiguous tag using digest algorithm as name')
  }
  return reference
}

function refused(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'REFERENCE_INVALID' })
}

interface ConfigParts {
  readonly platform: Platform
  readonly created: string
  readonly author?: string | undefined
  readonly comment?: string | undefined
  readonly config: RunConfig
  readonly diffIds: readonly Digest[]
  readonly history: readonly History[]
}

function imageConfig(parts: ConfigParts): ImageConfig {
  const { platform, created, author, comment, config, diffIds, history } = parts
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    ...(platform['os.version'] === undefined ? {} : { 'os.version': platform['os.version'] }),
    created,
    ...(author ? { author } : {}),
    ...(comment ? { comment } : {}),
    config,
    rootfs: { type: 'layers', diff_ids: diffIds },
    history,
  }
}
