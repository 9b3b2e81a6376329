/**
 * Finds the images in an archive: `manifest.json` of docker save, an OCI image layout, or both at once. What an archive
 * says is checked against the bytes it has; paths are keys of a map and never touch a filesystem.
 */
import { type Digest, digestOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { limits, parseImageConfig } from '#oci/image-spec.ts'
import { formatPlatform, type Platform, platformDistance, platformOf } from '#oci/platform.ts'
import { formatReference, parseReference, type Reference } from '#oci/reference.ts'
import type { NewImage } from './addition.ts'
import { type ArchiveContents, digestOfPath } from './archive-contents.ts'
import { checkLayers, document, layerAt, parseJson } from './archive-members.ts'
import { invalidImage, platformMissing } from './errors.ts'
import { planLayout } from './layout-plan.ts'

export type PlannedImage = Pick<NewImage, 'config' | 'manifests' | 'target'> & {
  readonly references: readonly Reference[]
  /** Layers without a file in the archive: builders leave out those that they know to be in the store. */
  readonly unsent?: readonly UnsentLayer[]
}

export interface UnsentLayer {
  readonly path: string
  readonly diffId: Digest
}

/**
 * Images in the order of the archive, whose layers are in the store; only those of `platforms`, if any are given.
 * Throws `invalid_argument`, or `not_found` for a platform that the archive does not have.
 */
export function planImages(contents: ArchiveContents, platforms: readonly Platform[] = []): PlannedImage[] {
  const planned = contents.documents.has('manifest.json')
    ? withManifests(planDockerArchive(contents), contents)
    : contents.documents.has('index.json')
      ? planLayout(contents)
      : undefined
  if (planned === undefined) {
    throw invalidImage(
      'archive has neither manifest.json nor index.json, so it is not an archive of images (a root filesystem is loaded with import)',
    )
  }
  if (planned.length === 0) throw invalidImage('archive has no image')
  return platforms.length === 0 ? planned : ofPlatforms(planned, platforms)
}

/** Names that a left out image had go to the first that stays of the same index. */
function ofPlatforms(planned: readonly PlannedImage[], platforms: readonly Platform[]): PlannedImage[] {
  const platformsOf = planned.map(({ config }) => platformOf(parseImageConfig(config)))
  for (const wanted of platforms) {
    if (platformsOf.some((platform) => platformDistance(wanted, platform) === 0)) continue
    throw platformMissing(formatPlatform(wanted))
  }
  const kept = planned.filter((_, at) =>
    platforms.some((wanted) => platformDistance(wanted, platformsOf[at]!) === 0),
  )
  return kept.map((image, at) => {
    const { target } = image
    if (target === undefined || kept.findIndex((other) => other.target === target) !== at) return image
    const left = planned.filter((other) => other.target === target && !kept.includes(other))
    return { ...image, references: [...image.references, ...left.flatMap(({ references }) => references)] }
  })
}

/**
 * An archive in both forms says twice what it has: names are those of `manifest.json`, and the layout adds manifests
 * and the images of other platforms, one of which may suit this host better. A layout that cannot be read adds nothing.
 */
function withManifests(planned: readonly PlannedImage[], contents: ArchiveContents): PlannedImage[] {
  const layout = layoutOf(contents)
  const merged = new Map<string, PlannedImage & { readonly references: Reference[] }>()
  const add = (image: PlannedImage): { readonly references: Reference[] } => {
    const key = `${digestOf(image.config)} ${image.target ?? ''}`
    const known = merged.get(key) ?? { ...image, references: [] }
    merged.set(key, known)
    return known
  }
  for (const image of planned) {
    const id = digestOf(image.config)
    const same = layout.filter(({ config }) => digestOf(config) === id)
    if (image.references.length === 0) add(same[0] ?? image)
    for (const reference of image.references) {
      const isNamed = ({ references }: PlannedImage): boolean => hasName(references, reference)
      const found = same.find(isNamed) ?? same[0] ?? image
      add(found)
      const siblings = layout.filter(({ target }) => target !== undefined && target === found.target)
      for (const sibling of siblings) add(sibling)
      add(siblings.find(isNamed) ?? found).references.push(reference)
    }
  }
  return [...merged.values()]
}

function hasName(references: readonly Reference[], wanted: Reference): boolean {
  const name = formatReference(wanted)
  return references.some((reference) => formatReference(reference) === name)
}

function layoutOf(contents: ArchiveContents): PlannedImage[] {
  if (!contents.documents.has('index.json')) return []
  try {
    return planLayout(contents)
  } catch (error) {
    if (isKind(error, 'invalid_argument')) return []
    throw error
  }
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
    const config = parseImageConfig(bytes)
    const unsent: UnsentLayer[] = []
    const layers = layerPaths.map((path, at) => {
      const diffId = config.rootfs.diff_ids[at]
      if (diffId === undefined || isSent(contents, path)) return layerAt(contents, path)
      unsent.push({ path, diffId })
      return { diffId }
    })
    checkLayers(config, layers)
    return { config: bytes, references: tags.map(parseTag), ...(unsent.length > 0 ? { unsent } : {}) }
  })
}

function isSent({ layers, links }: ArchiveContents, path: string): boolean {
  return layers.has(path) || links.has(path)
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

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string')
}
