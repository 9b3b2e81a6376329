import { type Digest, digestOf } from '#base/digest.ts'
import { messageOf } from '#base/errors.ts'
import type { Descriptor, ImageConfig } from '#oci/image-spec.ts'
import { type ArchiveContents, type StoredLayer } from './archive-contents.ts'
import { invalidImage } from './errors.ts'

// Members of an archive, by path, checked against what is promised of them. All throw `invalid_argument`.

/** A small blob of a layout, checked against its descriptor. */
export function blob(contents: ArchiveContents, descriptor: Descriptor, limit: number): Uint8Array {
  const bytes = document(contents, pathOf(descriptor.digest), limit)
  if (bytes.length !== descriptor.size || digestOf(bytes) !== descriptor.digest) {
    throw invalidImage(`${pathOf(descriptor.digest)}: size or digest differs from its descriptor`)
  }
  return bytes
}

export function document(contents: ArchiveContents, path: string, limit: number): Uint8Array {
  const bytes = contents.documents.get(path)
  if (bytes === undefined) throw missing(contents, path)
  if (bytes.length > limit)
    throw invalidImage(`${path}: ${bytes.length} bytes, more than the ${limit} allowed`)
  return bytes
}

export function layerAt(contents: ArchiveContents, path: string): StoredLayer {
  const layer = contents.layers.get(path) ?? contents.layers.get(legacyTarget(contents, path) ?? '')
  if (layer === undefined) throw missing(contents, path)
  if ('problem' in layer) throw invalidImage(`${path}: ${messageOf(layer.problem)}`, { cause: layer.problem })
  return layer
}

export function checkLayers(config: ImageConfig, layers: readonly StoredLayer[]): void {
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

export function pathOf(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`
}

/**
 * Docker before 25 saved a layer that two images have in different places once, and linked the other place to it:
 * `<id>/layer.tar` -> `../<id>/layer.tar`. This form, and only this, is resolved, among the members.
 */
function legacyTarget(contents: ArchiveContents, path: string): string | undefined {
  if (!/^[0-9a-f]{64}\/layer\.tar$/.test(path)) return undefined
  return /^\.\.\/([0-9a-f]{64}\/layer\.tar)$/.exec(contents.links.get(path) ?? '')?.[1]
}

/** Says that a member is not there. */
export function missing(contents: ArchiveContents, path: string): Error {
  const reason = contents.links.has(path)
    ? 'is a link, and links in an archive are not followed'
    : 'is missing'
  return invalidImage(`${JSON.stringify(path).slice(1, -1)} ${reason}`)
}

export function parseJson(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch (error) {
    throw invalidImage(`${path}: not valid JSON`, { cause: error })
  }
}
