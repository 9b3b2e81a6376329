import { type Digest, digestOf } from '#base/digest.ts'
import { escapeJson, goJson } from '#base/go-json.ts'
import { type Descriptor, mediaTypes } from '#oci/image-spec.ts'
import type { Platform } from '#oci/platform.ts'
import { compactJson, indentJson } from './json-text.ts'

/** An image as a list names it. */
export interface ListedImage {
  /** Where it is, in full: `docker.io/library/alpine:3.20`. */
  readonly reference: string
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  /** Empty texts for what is not known. */
  readonly platform: Platform
  /** The manifest. */
  readonly bytes: Uint8Array
}

/** The document that Docker's command line keeps for an image of a list, and shows; compact. */
export function encodeListedImage(image: ListedImage): string {
  const { reference, mediaType, digest, size, platform, bytes } = image
  const members = [
    ['Ref', goJson(reference)],
    ['Descriptor', goJson({ mediaType, digest, size, platform: orderedPlatform(platform) })],
    ['Raw', goJson(Buffer.from(bytes).toString('base64'))],
    [manifestKey(mediaType), escapeJson(compactJson(Buffer.from(bytes).toString()))],
  ]
  return `{${members.map(([key, text]) => `"${key}":${text}`).join(',')}}`
}

/** What `encodeListedImage`, or Docker's command line, has written; undefined for anything else. */
export function decodeListedImage(text: string): ListedImage | undefined {
  try {
    const { Ref: reference, Descriptor, Raw, ...rest } = JSON.parse(text) as StoredDocument
    const { mediaType, digest, size, platform } = Descriptor
    const bytes = candidates(Raw, rest[manifestKey(mediaType)]).find((each) => digestOf(each) === digest)
    if (bytes === undefined || bytes.length !== size || typeof reference !== 'string') return undefined
    return { reference, mediaType, digest, size, platform: readPlatform(platform), bytes }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    throw error
  }
}

interface StoredDocument extends Record<string, unknown> {
  readonly Ref: unknown
  readonly Descriptor: Descriptor
  readonly Raw?: string
}

/** Old versions of Docker kept no raw bytes: those of a manifest that Docker has pushed can be made again. */
function candidates(raw: string | undefined, manifest: unknown): Uint8Array[] {
  if (raw) return [Buffer.from(raw, 'base64')]
  const text = JSON.stringify(manifest)
  return [Buffer.from(indentJson(text, '   ')), Buffer.from(text)]
}

function manifestKey(mediaType: string): string {
  return mediaType === mediaTypes.dockerManifest ? 'SchemaV2Manifest' : 'OCIManifest'
}

/** Of the `platform` of a descriptor, or of the configuration of an image: strangers' words, of which only texts are taken. */
export function readPlatform(value: unknown): Platform {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const features = fields['os.features']
  const text = (key: string): string => (typeof fields[key] === 'string' ? fields[key] : '')
  return {
    architecture: text('architecture'),
    os: text('os'),
    'os.version': text('os.version'),
    'os.features': Array.isArray(features) ? features.filter((each) => typeof each === 'string') : [],
    variant: text('variant'),
  }
}

/** In the order in which Docker writes it, without what is empty. */
export function orderedPlatform(platform: Platform): Platform {
  const { architecture, os, variant } = platform
  const version = platform['os.version']
  const features = platform['os.features'] ?? []
  return {
    architecture,
    os,
    ...(version ? { 'os.version': version } : {}),
    ...(features.length > 0 ? { 'os.features': features } : {}),
    ...(variant ? { variant } : {}),
  }
}
