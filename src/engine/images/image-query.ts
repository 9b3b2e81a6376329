import type {
  AttestationStatement,
  ImageHistoryResponseItem,
  ImageInspect,
  ImageSummary,
} from '#api/generated/types.ts'
import type { Digest } from '#base/digest.ts'
import type { RunConfig } from '#oci/image-spec.ts'
import { formatFamiliar, formatReference, parseReference, type Reference } from '#oci/reference.ts'
import type { ImageRow } from '#store/images.ts'
import type { Filters } from '../services.ts'
import { type ImageFilter, imageFilter, listKeys } from './filters.ts'
import type { ImageStore } from './image-store.ts'
import { type AttestationOptions, attestationsOf } from './attestations.ts'
import { ImageManifests } from './image-manifests.ts'
import { ManifestSummaries } from './manifest-summaries.ts'
import { imageFor } from './platform-choice.ts'

export interface ListOptions {
  readonly all: boolean
  readonly filters: Filters
  readonly sharedSize: boolean
  readonly manifests: boolean
}

const NEVER = '0001-01-01T00:00:00Z'

/** Answers questions about images; changes nothing. */
export class ImageQuery {
  readonly #store: ImageStore
  readonly #manifests: ImageManifests
  readonly #summaries: ManifestSummaries

  constructor(store: ImageStore) {
    this.#store = store
    this.#manifests = new ImageManifests(store)
    this.#summaries = new ManifestSummaries(store, this.#manifests)
  }

  async list(options: ListOptions): Promise<ImageSummary[]> {
    const { rows, deps } = this.#store
    const filter = imageFilter(options.filters, listKeys, {
      now: deps.clock(),
      createdOf: (ref) => rows.get(this.#store.lookup(ref))?.created ?? 0,
    })
    const names = this.#namesByImage()
    const variants = rows.variants()
    const covered = new Set([...variants.values()].flat())
    const shared = options.sharedSize ? this.#store.layers.shared() : undefined
    const sizes = options.sharedSize ? this.#store.layers.sizes() : undefined

    const summaries: ImageSummary[] = []
    for (const row of rows.list()) {
      if (!filter.matches(row)) continue
      const listed = listedNames(names.get(row.id) ?? [], filter)
      if (!this.#isListed(row, listed, filter, options.all)) continue
      const isVariant = listed.length === 0 && covered.has(row.id)
      if (isVariant && (!options.all || filter.dangling === true)) continue
      summaries.push({
        ...summaryOf(row, listed),
        SharedSize: shared && sizes ? this.#sharedSize(row.id, shared, sizes) : -1,
        Containers: this.#containers(row.id, variants),
        ...(await this.#manifestsOf(row.id, listed, options.manifests)),
      })
    }
    return summaries
  }

  async inspect(
    ref: string,
    options: { readonly platform?: string | undefined; readonly manifests: boolean },
  ): Promise<ImageInspect> {
    const image = await imageFor(ref, options.platform, this.#store, this.#manifests)
    const { config, layers } = image
    const target = this.#manifests.target(ref)
    const references = this.#store.references.of(image.id).map(parseReference)
    const document: ImageInspect = {
      Id: image.id,
      ...namesOf(references),
      Comment: config.comment ?? '',
      Created: config.created ?? NEVER,
      Author: config.author ?? '',
      Config: configDocument(config.config ?? {}),
      Architecture: config.architecture,
      ...(config.variant ? { Variant: config.variant } : {}),
      Os: config.os,
      ...(config['os.version'] ? { OsVersion: config['os.version'] } : {}),
      Size: image.size,
      GraphDriver: { Name: this.#store.deps.snapshots.driver, Data: {} },
      RootFS: { Type: 'layers', Layers: [...layers] },
      Metadata: {
        LastTagTime: image.taggedAt === undefined ? NEVER : new Date(image.taggedAt).toISOString(),
      },
      Descriptor: await this.#summaries.descriptor(image, target),
      ...(options.manifests ? { Manifests: await this.#summaries.summaries(image, target) } : {}),
    }
    // Not in the newest documents; older clients show them.
    return Object.assign(document, { Parent: image.parentId ?? '', DockerVersion: '' })
  }

  /** The newest step first. Steps of parents that are here carry their ids. */
  async history(ref: string, platform?: string): Promise<ImageHistoryResponseItem[]> {
    const image = await imageFor(ref, platform, this.#store, this.#manifests)
    const sizes = this.#store.layers.sizes()
    let layer = 0
    const items: ImageHistoryResponseItem[] = (image.config.history ?? []).map((step) => {
      const diffId = step.empty_layer === true ? undefined : image.layers[layer++]
      return {
        Id: '<missing>',
        Created: seconds(step.created),
        CreatedBy: step.created_by ?? '',
        Tags: null,
        Size: diffId === undefined ? 0 : (sizes.get(diffId) ?? 0),
        Comment: step.comment ?? '',
      }
    })
    items.reverse()

    let ancestor: ImageRow | undefined = image
    for (const item of items) {
      if (ancestor === undefined) break
      const tags = namesOf(this.#store.references.of(ancestor.id).map(parseReference)).RepoTags
      Object.assign(item, { Id: ancestor.id, Tags: tags.length > 0 ? tags : null })
      ancestor = ancestor.parentId === undefined ? undefined : this.#store.rows.get(ancestor.parentId)
    }
    return items
  }

  attestations(ref: string, options: AttestationOptions): Promise<AttestationStatement[]> {
    return attestationsOf(ref, options, this.#store, this.#manifests)
  }

  /** What the first of the listed names leads to. */
  async #manifestsOf(
    id: Digest,
    [name]: readonly Reference[],
    asked: boolean,
  ): Promise<Pick<ImageSummary, 'Descriptor' | 'Manifests'>> {
    const target =
      name === undefined ? this.#manifests.targetOf(id) : this.#store.references.target(formatReference(name))
    if (!asked) {
      const row = this.#manifests.row(id, target) ?? this.#manifests.ownRow(id)
      return row === undefined ? {} : { Descriptor: { ...row } }
    }
    const image = await this.#store.resolve(id)
    return {
      Descriptor: await this.#summaries.descriptor(image, target),
      Manifests: await this.#summaries.summaries(image, target),
    }
  }

  /** Those of the other platforms as well, which are not listed by themselves. */
  #containers(id: Digest, variants: ReadonlyMap<Digest, readonly Digest[]>): number {
    const target = variants.size === 0 ? undefined : this.#manifests.targetOf(id)
    const others = (target === undefined ? undefined : variants.get(target)) ?? []
    const all = new Set([id, ...others])
    return [...all].reduce((count, each) => count + this.#store.deps.inUse(each).length, 0)
  }

  #namesByImage(): Map<Digest, Reference[]> {
    const names = new Map<Digest, Reference[]>()
    for (const { name, imageId } of this.#store.references.list()) {
      const reference = parseReference(name)
      const known = names.get(imageId)
      if (known === undefined) names.set(imageId, [reference])
      else known.push(reference)
    }
    return names
  }

  /** Images without a name are shown when nothing was made from them, or on request. */
  #isListed(row: ImageRow, listed: readonly Reference[], filter: ImageFilter, all: boolean): boolean {
    if (listed.length > 0) return filter.dangling !== true || listed.every(({ tag }) => tag === undefined)
    if (filter.dangling === false || filter.matchesReference !== undefined) return false
    const intermediate = (): boolean => this.#store.rows.children(row.id).length > 0
    return (all && filter.dangling !== true) || !intermediate()
  }

  #sharedSize(id: Digest, shared: ReadonlySet<Digest>, sizes: ReadonlyMap<Digest, number>): number {
    return this.#store.rows
      .layers(id)
      .reduce((sum, diffId) => sum + (shared.has(diffId) ? (sizes.get(diffId) ?? 0) : 0), 0)
  }
}

function summaryOf(row: ImageRow, names: readonly Reference[]): ImageSummary {
  return {
    Id: row.id,
    ParentId: row.parentId ?? '',
    ...namesOf(names),
    Created: Math.floor((row.created ?? 0) / 1000),
    Size: row.size,
    Labels: row.labels === undefined ? null : { ...row.labels },
  }
}

function listedNames(names: readonly Reference[], filter: ImageFilter): readonly Reference[] {
  const { matchesReference } = filter
  return matchesReference === undefined ? names : names.filter(matchesReference)
}

function namesOf(references: readonly Reference[]): { RepoTags: string[]; RepoDigests: string[] } {
  return {
    RepoTags: references.filter(({ tag }) => tag !== undefined).map(formatFamiliar),
    RepoDigests: references.filter(({ digest }) => digest !== undefined).map(formatFamiliar),
  }
}

/** Every field that programs look up without asking whether it is there. */
function configDocument(config: RunConfig): NonNullable<ImageInspect['Config']> {
  const base = {
    User: '',
    Env: null,
    Cmd: null,
    Entrypoint: null,
    Volumes: null,
    WorkingDir: '',
    OnBuild: null,
    Labels: null,
  }
  return { ...base, ...structuredClone(config) } as NonNullable<ImageInspect['Config']>
}

function seconds(date: string | null | undefined): number {
  const time = date ? Date.parse(date) : Number.NaN
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000)
}
