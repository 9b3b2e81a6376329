import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Digest, digestOf, hexOf } from '#base/digest.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import { decompress } from '#oci/compression.ts'
import {
  type Descriptor,
  type ImageConfig,
  isIndex,
  limits,
  type Manifest,
  parseImageConfig,
  parseIndex,
  parseManifestOrIndex,
} from '#oci/image-spec.ts'
import { type Platform, selectPlatform } from '#oci/platform.ts'
import { fileSize } from '#os/files.ts'

export const REF_NAME = 'org.opencontainers.image.ref.name'

/** An image in a layout. */
export interface LayoutImage {
  readonly descriptor: Descriptor
  readonly manifest: Manifest
  /** The exact bytes, and what they say. */
  readonly config: { readonly bytes: Uint8Array; readonly document: ImageConfig }
}

/** A directory of this host in the OCI layout (image-layout.md). What is read of it is checked against its digest. */
export class OciLayout {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  path(digest: Digest): string {
    return join(this.directory, 'blobs', 'sha256', hexOf(digest))
  }

  /** What `index.json` lists; nothing when there is none. */
  async entries(): Promise<readonly Descriptor[]> {
    try {
      return parseIndex(await readFile(join(this.directory, 'index.json'))).manifests
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
      throw error
    }
  }

  /** By tag or digest; without either the only one, or the one called `latest`. */
  async find(wanted: string | undefined): Promise<Descriptor | undefined> {
    const entries = await this.entries()
    if (wanted === undefined && entries.length === 1) return entries[0]
    const name = wanted ?? 'latest'
    return entries.find(({ digest, annotations }) => digest === name || annotations?.[REF_NAME] === name)
  }

  /** The image that an entry leads to, of an index that for `platform`. */
  async image(entry: Descriptor, platform?: Platform): Promise<LayoutImage> {
    let descriptor = entry
    let document = parseManifestOrIndex(await this.document(descriptor.digest, limits.manifest))
    for (let depth = 0; isIndex(document); depth++) {
      const chosen =
        platform === undefined ? document.manifests[0] : selectPlatform(document.manifests, platform)
      if (chosen === undefined || depth === MAX_DEPTH) throw this.#missing(descriptor.digest)
      descriptor = chosen
      document = parseManifestOrIndex(await this.document(chosen.digest, limits.manifest))
    }
    const bytes = await this.document(document.config.digest, limits.config)
    return { descriptor, manifest: document, config: { bytes, document: parseImageConfig(bytes) } }
  }

  /** The uncompressed bytes of a layer; what they are is not checked. */
  layer(digest: Digest, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return decompress(createReadStream(this.path(digest), { signal }), { signal })
  }

  async document(digest: Digest, limit: number): Promise<Uint8Array> {
    const path = this.path(digest)
    const size = await fileSize(path)
    const bytes = size === undefined || size > limit ? undefined : await readFile(path)
    if (bytes !== undefined && digestOf(bytes) === digest) return bytes
    throw this.#missing(digest)
  }

  #missing(digest: Digest): EngineError {
    return new EngineError('data_loss', `blob ${digest} in ${this.directory} is missing or damaged`, {
      code: 'LAYOUT_DAMAGED',
      details: { directory: this.directory, digest },
    })
  }
}

/** Indexes within indexes. */
const MAX_DEPTH = 3
