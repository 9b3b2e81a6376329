/**
 * The documents of an image, as they are: OCI image-spec 1.1 and Docker's image manifest version 2, schema 2.
 * They come from strangers, so they are read once, here, from the very bytes whose digest was checked; what passes
 * has digests, sizes and types that later code may rely on. Unknown fields pass.
 */
import { type Digest, isDigest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { hostPlatform, type Platform } from './platform.ts'

export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerForeignLayer: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
} as const

/** Bytes; what is larger is refused before it is parsed. */
export const limits = { manifest: 4 << 20, index: 4 << 20, config: 8 << 20 } as const

/** More than this overlayfs cannot stack. */
const MAX_LAYERS = 500
const MAX_MANIFESTS = 10_000

type Annotations = Readonly<Record<string, string>>

/** descriptor.md */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  readonly annotations?: Annotations | null
  readonly platform?: Platform | null
  readonly artifactType?: string
}

/** manifest.md; also schema 2. `mediaType` is always filled in. */
export interface Manifest {
  readonly schemaVersion: 2
  readonly mediaType: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly annotations?: Annotations | null
  readonly artifactType?: string
}

/** image-index.md; also Docker's manifest list. `mediaType` is always filled in. */
export interface Index {
  readonly schemaVersion: 2
  readonly mediaType: string
  readonly manifests: readonly Descriptor[]
  readonly annotations?: Annotations | null
  readonly artifactType?: string
}

/** How to run it: `config` of config.md with Docker's additions. */
export interface RunConfig {
  readonly User?: string | null
  readonly ExposedPorts?: Readonly<Record<string, object>> | null
  readonly Env?: readonly string[] | null
  readonly Entrypoint?: readonly string[] | null
  readonly Cmd?: readonly string[] | null
  readonly Volumes?: Readonly<Record<string, object>> | null
  readonly WorkingDir?: string | null
  readonly Labels?: Readonly<Record<string, string>> | null
  readonly StopSignal?: string | null
  readonly Healthcheck?: Healthcheck | null
  readonly OnBuild?: readonly string[] | null
  readonly Shell?: readonly string[] | null
  readonly ArgsEscaped?: boolean | null
}

/** Durations in nanoseconds; 0 means the default. */
export interface Healthcheck {
  readonly Test?: readonly string[] | null
  readonly Interval?: number | null
  readonly Timeout?: number | null
  readonly StartPeriod?: number | null
  readonly StartInterval?: number | null
  readonly Retries?: number | null
}

/** config.md "history" */
export interface History {
  readonly created?: string | null
  readonly created_by?: string | null
  readonly author?: string | null
  readonly comment?: string | null
  readonly empty_layer?: boolean | null
}

/** config.md. Its bytes are the identity of an image: they are never written anew. */
export interface ImageConfig {
  readonly architecture: string
  readonly os: string
  readonly variant?: string | null
  readonly 'os.version'?: string | null
  readonly created?: string | null
  readonly author?: string | null
  readonly comment?: string | null
  readonly config?: RunConfig | null
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly Digest[] }
  readonly history?: readonly History[] | null
}

export interface ParseOptions {
  /** What the descriptor or the Content-Type header said; the document must not say otherwise. */
  readonly mediaType?: string | undefined
}

/** A manifest, or `invalid_argument`. */
export function parseManifest(bytes: Uint8Array, options: ParseOptions = {}): Manifest {
  const document = parseDocument(bytes, 'manifest', limits.manifest)
  return checkManifest(document, options)
}

/** An index, or `invalid_argument`. */
export function parseIndex(bytes: Uint8Array, options: ParseOptions = {}): Index {
  const document = parseDocument(bytes, 'index', limits.index)
  return checkIndex(document, options)
}

/** Whatever of the two it is. */
export function parseManifestOrIndex(bytes: Uint8Array, options: ParseOptions = {}): Manifest | Index {
  const document = parseDocument(bytes, 'manifest', limits.manifest)
  return 'manifests' in document ? checkIndex(document, options) : checkManifest(document, options)
}

export function isIndex(document: Manifest | Index): document is Index {
  return 'manifests' in document
}

/** The config of a runnable image, or `invalid_argument`. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const document = parseDocument(bytes, 'image config', limits.config)
  const at = 'image config'
  for (const key of ['architecture', 'os', 'variant', 'os.version', 'created', 'author', 'comment'])
    text(document, key, at)
  checkRunConfig(document['config'])

  const rootfs = object(document['rootfs'], `${at}: rootfs`)
  if (rootfs['type'] !== 'layers') throw invalid(`${at}: rootfs.type must be "layers"`)
  const diffIds = list(rootfs['diff_ids'] ?? [], `${at}: rootfs.diff_ids`)
  if (diffIds.length > MAX_LAYERS) throw invalid(`${at}: more than ${MAX_LAYERS} layers`)
  for (const diffId of diffIds) digest(diffId, `${at}: rootfs.diff_ids`)

  for (const entry of list(document['history'] ?? [], `${at}: history`)) {
    const step = object(entry, `${at}: history`)
    for (const key of ['created', 'created_by', 'author', 'comment']) text(step, key, `${at}: history`)
    flag(step, 'empty_layer', `${at}: history`)
  }
  // The one required list that encoders of empty images leave out or write as null.
  // Docker takes an image that does not say what it is for as one for this machine.
  const { os, architecture } = hostPlatform()
  const platform = { os: document['os'] || os, architecture: document['architecture'] || architecture }
  return { ...document, ...platform, rootfs: { ...rootfs, diff_ids: diffIds } } as unknown as ImageConfig
}

/** Checks `oci-layout`. image-layout.md */
export function parseLayout(bytes: Uint8Array): void {
  const document = parseDocument(bytes, 'oci-layout', 64 << 10)
  if (document['imageLayoutVersion'] !== '1.0.0') {
    throw invalid(
      `oci-layout: version ${JSON.stringify(document['imageLayoutVersion'])} is unknown, want "1.0.0"`,
    )
  }
}

type Document = Readonly<Record<string, unknown>>

function checkManifest(document: Document, options: ParseOptions): Manifest {
  const mediaType = checkHead(document, 'manifest', options, {
    known: [mediaTypes.ociManifest, mediaTypes.dockerManifest],
    forbidden: ['manifests', 'fslayers'],
  })
  const config = checkDescriptor(document['config'], 'manifest: config')
  const layers = list(document['layers'], 'manifest: layers')
  if (layers.length > MAX_LAYERS) throw invalid(`manifest: more than ${MAX_LAYERS} layers`)
  return {
    ...document,
    schemaVersion: 2,
    mediaType,
    config,
    layers: layers.map((layer) => checkDescriptor(layer, 'manifest: layers')),
  }
}

function checkIndex(document: Document, options: ParseOptions): Index {
  const mediaType = checkHead(document, 'index', options, {
    known: [mediaTypes.ociIndex, mediaTypes.dockerIndex],
    forbidden: ['layers', 'config', 'fslayers'],
  })
  const manifests = list(document['manifests'], 'index: manifests')
  if (manifests.length > MAX_MANIFESTS) throw invalid(`index: more than ${MAX_MANIFESTS} manifests`)
  return {
    ...document,
    schemaVersion: 2,
    mediaType,
    manifests: manifests.map((entry) => checkDescriptor(entry, 'index: manifests')),
  }
}

/** What manifest and index share; a document that could be read as either is refused (CVE-2021-41190). */
function checkHead(
  document: Document,
  at: string,
  options: ParseOptions,
  { known, forbidden }: { readonly known: readonly [string, string]; readonly forbidden: readonly string[] },
): string {
  // Other readers ignore the case of keys: what they would see counts.
  const ambiguous = Object.keys(document).find((key) => forbidden.includes(key.toLowerCase()))
  if (ambiguous !== undefined) throw invalid(`${at}: has ${JSON.stringify(ambiguous)}, so it is ambiguous`)
  // Some writers leave it out, or leave Go's zero there; readers take that for what it has to be.
  if (![2, 0, undefined].includes(document['schemaVersion'] as number | undefined))
    throw invalid(`${at}: schemaVersion must be 2`)
  annotations(document, at)

  const said = text(document, 'mediaType', at)
  const mediaType = said ?? options.mediaType ?? known[0]
  if (!known.includes(mediaType)) throw invalid(`${at}: unsupported media type ${JSON.stringify(mediaType)}`)
  if (options.mediaType !== undefined && options.mediaType !== mediaType) {
    throw invalid(
      `${at}: media type is ${JSON.stringify(mediaType)}, expected ${JSON.stringify(options.mediaType)}`,
    )
  }
  return mediaType
}

function checkDescriptor(value: unknown, at: string): Descriptor {
  const descriptor = object(value, at)
  const mediaType = text(descriptor, 'mediaType', at, 'required') ?? ''
  const { size } = descriptor
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid(`${at}: bad size`)
  annotations(descriptor, at)
  const { platform } = descriptor
  if (platform !== undefined && platform !== null) {
    const fields = object(platform, `${at}: platform`)
    for (const key of ['os', 'architecture']) text(fields, key, `${at}: platform`, 'required')
    for (const key of ['variant', 'os.version']) text(fields, key, `${at}: platform`)
  }
  return { ...descriptor, mediaType, size, digest: digest(descriptor['digest'], at) }
}

function checkRunConfig(value: unknown): void {
  if (value === undefined || value === null) return
  const at = 'image config: config'
  const config = object(value, at)
  for (const key of ['User', 'WorkingDir', 'StopSignal']) text(config, key, at)
  for (const key of ['Env', 'Entrypoint', 'Cmd', 'OnBuild', 'Shell']) texts(config, key, at)
  for (const key of ['ExposedPorts', 'Volumes']) {
    for (const entry of Object.values(object(config[key] ?? {}, `${at}.${key}`))) {
      if (entry !== null) object(entry, `${at}.${key}`)
    }
  }
  for (const label of Object.values(object(config['Labels'] ?? {}, `${at}.Labels`))) {
    if (typeof label !== 'string') throw invalid(`${at}.Labels: values must be strings`)
  }
  flag(config, 'ArgsEscaped', at)

  const health = object(config['Healthcheck'] ?? {}, `${at}.Healthcheck`)
  texts(health, 'Test', `${at}.Healthcheck`)
  for (const key of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries']) {
    const number = health[key] ?? 0
    if (!Number.isInteger(number)) throw invalid(`${at}.Healthcheck.${key} must be a whole number`)
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parseDocument(bytes: Uint8Array, at: string, limit: number): Document {
  if (bytes.length > limit) throw invalid(`${at}: ${bytes.length} bytes, more than the ${limit} allowed`)
  let document: unknown
  try {
    document = JSON.parse(utf8.decode(bytes))
  } catch (error) {
    throw invalid(`${at}: not valid JSON`, error)
  }
  return object(document, at)
}

function object(value: unknown, at: string): Document {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Document
  throw invalid(`${at}: want an object`)
}

function list(value: unknown, at: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw invalid(`${at}: want a list`)
}

function text(document: Document, key: string, at: string, required?: 'required'): string | undefined {
  const value = document[key] ?? undefined
  if (typeof value === 'string' && !(required && value === '')) return value
  if (value === undefined && !required) return undefined
  throw invalid(`${at}: ${key} must be a${required ? ' non-empty' : ''} string`)
}

function texts(document: Document, key: string, at: string): void {
  for (const value of list(document[key] ?? [], `${at}.${key}`)) {
    if (typeof value !== 'string') throw invalid(`${at}.${key}: want a list of strings`)
  }
}

function flag(document: Document, key: string, at: string): void {
  const value = document[key] ?? false
  if (typeof value !== 'boolean') throw invalid(`${at}: ${key} must be true or false`)
}

function annotations(document: Document, at: string): void {
  for (const value of Object.values(object(document['annotations'] ?? {}, `${at}: annotations`))) {
    if (typeof value !== 'string') throw invalid(`${at}: annotations must be strings`)
  }
}

function digest(value: unknown, at: string): Digest {
  if (typeof value === 'string' && isDigest(value)) return value
  throw invalid(`${at}: invalid digest ${JSON.stringify(value)?.slice(0, 100)}`)
}

function invalid(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'IMAGE_DOCUMENT_INVALID', cause })
}
