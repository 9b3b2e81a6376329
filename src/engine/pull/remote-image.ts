/** Finds the image that a name of a registry means on a platform. Documents are parsed from the bytes that were checked. */
import type { Digest } from '#base/digest.ts'
import { engineErrorOf } from '#base/errors.ts'
import {
  type Descriptor,
  type ImageConfig,
  type Index,
  isIndex,
  limits,
  type Manifest,
  mediaTypes,
  parseImageConfig,
  parseManifestOrIndex,
} from '#oci/image-spec.ts'
import {
  formatPlatform,
  hostPlatform,
  type Platform,
  platformDistance,
  selectPlatform,
} from '#oci/platform.ts'
import type { FetchedManifest, ReadableRepository } from '#registry/client/repository.ts'
import type { Content } from '#store/content/content.ts'
import { invalidImage, wrongPlatform } from '../images/errors.ts'
import { noMatchingManifest, notAnImage, oldManifest, tooDeep } from './errors.ts'

export interface RemoteImage {
  /** What the name leads to: a manifest or an index. */
  readonly target: Descriptor
  /** The exact bytes of the target and of all that leads from it to the image, the manifest last. */
  readonly documents: readonly RemoteDocument[]
  readonly config: { readonly bytes: Uint8Array; readonly document: ImageConfig }
  /** Bottom first. */
  readonly layers: readonly RemoteLayer[]
  /** Manifests of the index that say something about this image. */
  readonly attestations: readonly Descriptor[]
}

export interface RemoteDocument {
  readonly bytes: Uint8Array
  readonly mediaType: string
}

export interface RemoteLayer {
  readonly blob: Descriptor
  readonly diffId: Digest
}

export interface RemoteImageOptions {
  /** As a person calls it, for messages. */
  readonly familiar: string
  /** Undefined: that of the host; what has no other is taken as well. */
  readonly platform: Platform | undefined
  /** Where configs that are here already are taken from. */
  readonly content: Content
  readonly signal: AbortSignal
}

/** Indexes within indexes (GO-2026-6597); of each only one entry is followed. */
const MAX_DEPTH = 3

/** Rejects with the registry's errors, `not_found` when nothing fits, `invalid_argument` for what is no image. */
export async function remoteImage(
  repository: ReadableRepository,
  name: string,
  options: RemoteImageOptions,
): Promise<RemoteImage> {
  const wanted = options.platform ?? hostPlatform()
  const fetched = await repository.manifest(name, options)
  const documents: RemoteDocument[] = []
  let attestations: readonly Descriptor[] = []
  let document = keep(fetched, documents)
  for (let depth = 1; isIndex(document); depth++) {
    if (depth > MAX_DEPTH) throw tooDeep(fetched.descriptor.digest)
    const chosen = choose(document, wanted)
    attestations = document.manifests.filter(
      (entry) => isAttestation(entry) && subjectOf(entry) === chosen.digest,
    )
    document = keep(await child(repository, chosen, options), documents, chosen.mediaType)
  }
  const config = await configOf(document, repository, options)
  const layers = layersOf(document, config.document)
  return { target: fetched.descriptor, documents, config, layers, attestations }
}

/** Types that servers of plain files give to everything. */
const unsaid = new Set(['', 'application/json', 'application/octet-stream', 'text/plain'])

function keep(
  { bytes, descriptor }: FetchedManifest,
  documents: RemoteDocument[],
  promised?: string,
): Manifest | Index {
  const said = descriptor.mediaType.split(';', 1)[0]?.trim() ?? ''
  if (/manifest\.v1\+(json|prettyjws)$/.test(said) && said.includes('docker')) throw oldManifest(said)
  const document = parseManifestOrIndex(bytes, {
    mediaType: promised ?? (unsaid.has(said) ? undefined : said),
  })
  documents.push({ bytes, mediaType: document.mediaType })
  return document
}

async function child(
  repository: ReadableRepository,
  chosen: Descriptor,
  options: RemoteImageOptions,
): Promise<FetchedManifest> {
  const fetched = await repository.manifest(chosen.digest, options)
  if (fetched.bytes.length === chosen.size) return fetched
  throw invalidImage(`manifest ${chosen.digest} has ${fetched.bytes.length} bytes instead of ${chosen.size}`)
}

function choose(index: Index, wanted: Platform): Descriptor {
  const candidates = index.manifests.filter((entry) => !isAttestation(entry))
  const chosen = selectPlatform(candidates, wanted)
  if (chosen === undefined) throw noMatchingManifest(wanted)
  return chosen
}

function isAttestation({ annotations, platform }: Descriptor): boolean {
  return annotations?.['vnd.docker.reference.type'] === 'attestation-manifest' || platform?.os === 'unknown'
}

function subjectOf({ annotations }: Descriptor): string | undefined {
  return annotations?.['vnd.docker.reference.digest']
}

async function configOf(
  { config }: Manifest,
  repository: ReadableRepository,
  { content, platform, familiar, signal }: RemoteImageOptions,
): Promise<RemoteImage['config']> {
  const { ociConfig, dockerConfig } = mediaTypes
  if (config.mediaType !== ociConfig && config.mediaType !== dockerConfig) throw notAnImage(config.mediaType)
  const bytes =
    (await stored(content, config.digest)) ??
    (await repository.document(config, { limit: limits.config, signal }))
  const document = parseImageConfig(bytes)
  const actual = {
    os: document.os,
    architecture: document.architecture,
    variant: document.variant ?? undefined,
  }
  if (platform !== undefined && platformDistance(platform, actual) === undefined) {
    throw wrongPlatform(familiar, formatPlatform(actual), formatPlatform(platform))
  }
  return { bytes, document }
}

async function stored(content: Content, digest: Digest): Promise<Uint8Array | undefined> {
  try {
    return await content.read(digest)
  } catch (error) {
    const kind = engineErrorOf(error)?.kind
    // Missing or damaged: the registry has it.
    if (kind === 'not_found' || kind === 'data_loss') return undefined
    throw error
  }
}

function layersOf({ layers }: Manifest, { rootfs }: ImageConfig): readonly RemoteLayer[] {
  const diffIds = rootfs.diff_ids
  if (diffIds.length !== layers.length) {
    throw invalidImage(
      `invalid manifest, layers length mismatch: expected ${diffIds.length}, got ${layers.length}`,
    )
  }
  return layers.map((blob, at) => {
    if (!isLayer(blob.mediaType)) throw notAnImage(blob.mediaType)
    return { blob, diffId: diffIds[at]! }
  })
}

/**
 * Foreign layers are asked for like all others, of the same registry: the addresses that a manifest gives for them are
 * never visited (CVE-2020-15157).
 */
function isLayer(mediaType: string): boolean {
  return (
    /^application\/vnd\.oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+gzip|\+zstd)?$/.test(mediaType) ||
    /^application\/vnd\.docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd)?$/.test(mediaType)
  )
}
