/**
 * Finds the images in an archive: `manifest.json` of docker save, or an OCI image layout. What an archive says is
 * checked against the bytes it has; paths are keys of a map and never touch a filesystem.
 */
import type { Digest } from '#base/digest.ts'
import { messageOf } from '#base/errors.ts'
import {
  type Descriptor,
  type ImageConfig,
  type Index,
  type Manifest,
  isIndex,
  limits,
  mediaTypes,
  parseImageConfig,
  parseIndex,
  parseLayout,
  parseManifestOrIndex,
} from '#oci/image-spec.ts'
import { formatPlatform, hostPlatform, selectPlatform } from '#oci/platform.ts'
import { parseReference, type Reference, withDefaultTag } from '#oci/reference.ts'
import { type ArchiveContents, digestOfPath, type StoredLayer } from './archive-contents.ts'
import { invalidImage } from './errors.ts'
import { digestOf } from './manifest.ts'

export interface PlannedImage {
  /** The exact bytes. */
  readonly config: Uint8Array
  readonly references: readonly Reference[]
}

/** Images in the order of the archive, whose layers are in the store. Throws `invalid_argument`. */
export function planImages(contents: ArchiveContents): PlannedImage[] {
  const planned = contents.documents.has('manifest.json')
    ? planDockerArchive(contents)
    : contents.documents.has('index.json')
      ? planLayout(contents)
      : undefined
  if (planned === undefined) {
    throw invalidImage(
      'archive has neither manifest.json nor index.json, so it is not an archive of images (a root filesystem is loaded with import)',
    )
  }
  if (planned.length === 0) throw invalidImage('archive has no image')
  return planned
}

function planDockerArchive(contents: ArchiveContents): PlannedImage[] {
  const items = parseJson(document(contents, 'manifest.json', limits.manifest), 'manifest.json')
  if (!Array.isArray(items)) throw invalidImage('manifest.json: want a list')
  return items.map((item: unknown) => {
    const { Config: configPath, RepoTags: tags, Layers: layerPaths } = dockerItem(item)
    const bytes = document(contents, configPath, limits.config)
    const promised = digestOfPath(configPath)
    if (promised !== undefined && promised !== digestOf(bytes)) {
      throw invalidImage(`${configPath}: digest is ${digestOf(bytes)}`)
    }
    const layers = layerPaths.map((path) => layerAt(contents, path))
    checkLayers(parseImageConfig(bytes), layers)
    return { config: bytes, references: tags.map(parseTag) }
  })
}

interface DockerItem {
  readonly Config: string
  readonly RepoTags: readonly string[]
  readonly Layers: readonly string[]
}

function dockerItem(item: unknown): DockerItem {
  const { Config, RepoTags, Layers } = (item ?? {}) as Record<string, unknown>
  const tags = RepoTags ?? []
  const layers = Layers ?? []
  if (typeof Config !== 'string' || !isTexts(tags) || !isTexts(layers)) {
    throw invalidImage('manifest.json: want Config, RepoTags and Layers')
  }
  return { Config, RepoTags: tags, Layers: layers }
}

function parseTag(text: string): Reference {
  const reference = parseReference(text)
  if (reference.tag === undefined || reference.digest !== undefined) {
    throw invalidImage(`invalid tag ${JSON.stringify(text)}`)
  }
  return reference
}

/** Indexes within indexes; real archives have two levels. */
const MAX_DEPTH = 3
const MAX_DESCRIPTORS = 1000

function planLayout(contents: ArchiveContents): PlannedImage[] {
  parseLayout(document(contents, 'oci-layout', 64 << 10))
  const index = parseIndex(document(contents, 'index.json', limits.index))
  if (index.manifests.length > MAX_DESCRIPTORS) throw invalidImage('index.json: too many manifests')

  const planned = new Map<Digest, { config: Uint8Array; references: Reference[] }>()
  for (const descriptor of index.manifests) {
    if (isAttestation(descriptor)) continue
    const manifest = imageManifest(contents, descriptor, 1)
    const config = blob(contents, manifest.config, limits.config)
    checkConfigType(manifest)
    checkLayers(
      parseImageConfig(config),
      manifest.layers.map(({ digest }) => layerAt(contents, pathOf(digest))),
    )
    const known = planned.get(manifest.config.digest) ?? { config, references: [] }
    planned.set(manifest.config.digest, known)
    const reference = nameOf(descriptor)
    if (reference !== undefined) known.references.push(reference)
  }
  return [...planned.values()]
}

/** The manifest itself, or the one for this host among those of an index. */
function imageManifest(contents: ArchiveContents, descriptor: Descriptor, depth: number): Manifest {
  const bytes = blob(contents, descriptor, limits.manifest)
  const parsed = parseManifestOrIndex(bytes, { mediaType: descriptor.mediaType })
  if (!isIndex(parsed)) return parsed
  if (depth === MAX_DEPTH) throw invalidImage(`${descriptor.digest}: too many indexes within indexes`)
  return imageManifest(contents, select(contents, parsed, descriptor.digest), depth + 1)
}

/** Only what is in the archive counts: an index may list platforms that were not saved. */
function select(contents: ArchiveContents, index: Index, digest: Digest): Descriptor {
  const present = index.manifests.filter(
    (entry) => !isAttestation(entry) && contents.documents.has(pathOf(entry.digest)),
  )
  const [only] = present
  const selected = selectPlatform(present, hostPlatform()) ?? (present.length === 1 ? only : undefined)
  if (selected !== undefined) return selected
  throw invalidImage(`index ${digest}: no manifest for ${formatPlatform(hostPlatform())} in the archive`)
}

function isAttestation({ platform, annotations }: Descriptor): boolean {
  return (
    annotations?.['vnd.docker.reference.type'] === 'attestation-manifest' ||
    platform?.architecture === 'unknown'
  )
}

function checkConfigType({ config }: Manifest): void {
  const { ociConfig, dockerConfig } = mediaTypes
  if (config.mediaType === ociConfig || config.mediaType === dockerConfig) return
  throw invalidImage(
    `config of type ${JSON.stringify(config.mediaType)}: this is not the image of a container`,
  )
}

/** containerd's annotation has the whole name; the standard one sometimes, but usually only the tag. */
function nameOf({ annotations }: Descriptor): Reference | undefined {
  const whole = annotations?.['io.containerd.image.name']
  if (whole !== undefined) return tagged(whole)
  const name = annotations?.['org.opencontainers.image.ref.name']
  return name !== undefined && /[:/]/.test(name) ? tagged(name) : undefined
}

function tagged(text: string): Reference {
  const reference = withDefaultTag(parseReference(text))
  return reference.tag === undefined ? reference : { ...reference, digest: undefined }
}

function checkLayers(config: ImageConfig, layers: readonly StoredLayer[]): void {
  const expected = config.rootfs.diff_ids
  if (expected.length !== layers.length) {
    throw invalidImage(
      `invalid manifest, layers length mismatch: expected ${expected.length}, got ${layers.length}`,
    )
  }
  expected.forEach((diffId, at) => {
    const actual = layers[at]?.diffId
    if (actual === diffId) return
    throw invalidImage(`invalid diffID for layer ${at}: expected "${diffId}", got "${actual}"`)
  })
}

/** A small blob of a layout, checked against its descriptor. */
function blob(contents: ArchiveContents, descriptor: Descriptor, limit: number): Uint8Array {
  const bytes = document(contents, pathOf(descriptor.digest), limit)
  if (bytes.length !== descriptor.size || digestOf(bytes) !== descriptor.digest) {
    throw invalidImage(`${pathOf(descriptor.digest)}: size or digest differs from its descriptor`)
  }
  return bytes
}

function pathOf(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`
}

function document(contents: ArchiveContents, path: string, limit: number): Uint8Array {
  const bytes = contents.documents.get(path)
  if (bytes === undefined) throw missing(contents, path)
  if (bytes.length > limit)
    throw invalidImage(`${path}: ${bytes.length} bytes, more than the ${limit} allowed`)
  return bytes
}

function layerAt(contents: ArchiveContents, path: string): StoredLayer {
  const layer = contents.layers.get(path) ?? contents.layers.get(legacyTarget(contents, path) ?? '')
  if (layer === undefined) throw missing(contents, path)
  if ('problem' in layer) throw invalidImage(`${path}: ${messageOf(layer.problem)}`, { cause: layer.problem })
  return layer
}

/**
 * Docker before 25 saved a layer that two images have in different places once, and linked the other place to it:
 * `<id>/layer.tar` -> `../<id>/layer.tar`. This form, and only this, is resolved, among the members.
 */
function legacyTarget(contents: ArchiveContents, path: string): string | undefined {
  if (!/^[0-9a-f]{64}\/layer\.tar$/.test(path)) return undefined
  return /^\.\.\/([0-9a-f]{64}\/layer\.tar)$/.exec(contents.links.get(path) ?? '')?.[1]
}

function missing(contents: ArchiveContents, path: string): Error {
  const reason = contents.links.has(path)
    ? 'is a link, and links in an archive are not followed'
    : 'is missing'
  return invalidImage(`${JSON.stringify(path).slice(1, -1)} ${reason}`)
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string')
}

function parseJson(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch (error) {
    throw invalidImage(`${path}: not valid JSON`, { cause: error })
  }
}
