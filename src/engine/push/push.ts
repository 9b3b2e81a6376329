import { KeyedMutex } from '#base/mutex.ts'
import { Slots } from '#base/slots.ts'
import {
  formatFamiliar,
  formatReference,
  parseReference,
  type Reference,
  repositoryOf,
  withTag,
} from '#oci/reference.ts'
import type { LayerRow } from '#store/images.ts'
import type { RegistryClient } from '#registry/client/repository.ts'
import { ImageManifests } from '../images/image-manifests.ts'
import type { ImageStore } from '../images/image-store.ts'
import { type Report, reporting } from '../images/progress.ts'
import { credentialsOf } from '../registries/credentials.ts'
import type { ProgressMessage, PushService } from '../services.ts'
import { CompressThreads } from './compress-threads.ts'
import { digestPush, noSuchTag, nothingToPush, unknownCompression } from './errors.ts'
import { readyDocument, readyImage, type ReadyManifest, settled } from './image-push.ts'
import { type IndexPushDeps, readyIndex } from './index-push.ts'
import { LayerPush, type LayerPushDeps } from './layer-push.ts'
import { type PushPlan, planPush } from './push-plan.ts'

export interface PushDeps {
  readonly store: ImageStore
  readonly client: RegistryClient
  /** Of layers that a registry does not have yet. */
  readonly compression: 'gzip' | 'zstd'
  /** Layers that are sent at a time, by all pushes together. */
  readonly maxUploads: number
}

type PushOptions = Parameters<PushService['push']>[1]

/** Sends images to registries. distribution-spec "Push" */
export class Pushes implements PushService, AsyncDisposable {
  readonly #deps: PushDeps
  readonly #manifests: ImageManifests
  readonly #sending = new KeyedMutex()
  readonly #slots: Slots
  readonly #threads = new CompressThreads()

  constructor(deps: PushDeps) {
    this.#deps = deps
    this.#manifests = new ImageManifests(deps.store)
    this.#slots = new Slots(deps.maxUploads)
  }

  push(name: string, options: PushOptions): AsyncIterable<ProgressMessage> {
    return reporting((report, signal) => this.#push(name, options, report, signal), options)
  }

  /**
   * Sends what is no image of this store, a configuration and the layers that it names, under this name; a tag that leads to
   * something else leads to it from then on.
   */
  publish(
    name: Reference,
    { config, layers }: { readonly config: Uint8Array; readonly layers: readonly LayerRow[] },
    options: PushOptions,
  ): AsyncIterable<ProgressMessage> {
    return reporting(async (report, outer) => {
      const compression = compressionFor(options.compression ?? this.#deps.compression)
      const failing = new AbortController()
      const signal = AbortSignal.any([outer, failing.signal])
      const stop = (reason: unknown): void => failing.abort(reason)
      const work = this.#workOn(name, options.auth, { compression, report, signal, stop })
      const { bytes, descriptor } = await readyDocument(config, layers, work)
      const { mediaType } = descriptor
      await work.repository.putManifest(name.tag ?? 'latest', { bytes, mediaType }, { signal })
      report({ status: `${name.tag ?? 'latest'}: digest: ${descriptor.digest} size: ${descriptor.size}` })
    }, options)
  }

  async #push(name: string, options: PushOptions, report: Report, outer: AbortSignal): Promise<void> {
    const references = this.#select(parseReference(name), options.tag)
    // Everything that can be refused is, before the registry is asked.
    const pushes: { readonly reference: Reference; readonly plan: PushPlan }[] = []
    for (const reference of references) {
      const plan = await planPush(reference, options.platform, this.#deps.store, this.#manifests)
      pushes.push({ reference, plan })
    }
    const [first] = references
    if (first === undefined) return
    const compression = compressionFor(options.compression ?? this.#deps.compression)
    const failing = new AbortController()
    const signal = AbortSignal.any([outer, failing.signal])
    report({ status: `The push refers to repository [${repositoryOf(first)}]` })
    const stop = (reason: unknown): void => failing.abort(reason)
    const work = this.#workOn(first, options.auth, { compression, report, signal, stop })
    for (const { plan } of pushes) for (const message of plan.notes) report(message)
    const ready = await settled(
      pushes.map(({ plan }) => readyFor(plan, work)),
      stop,
    )
    for (const [at, { reference, plan }] of pushes.entries()) {
      const manifest = ready[at]
      if (manifest !== undefined) await this.#finish(reference, plan, manifest, work, report)
    }
  }

  /** Names with tags, at least one; the tag of `name` counts only where there is no other way to ask for all. */
  #select(name: Reference, tag: string | undefined): Reference[] {
    if (name.digest !== undefined || tag?.includes(':') === true) throw digestPush()
    const repository = repositoryOf(name)
    const tagged = this.#deps.store.references
      .list()
      .map((row) => parseReference(row.name))
      .filter((reference) => reference.tag !== undefined && repositoryOf(reference) === repository)
    if (tagged.length === 0) throw nothingToPush(name)
    if (tag === undefined || tag === '') return tagged
    const wanted = withTag(name, tag)
    if (!tagged.some((reference) => reference.tag === wanted.tag)) throw noSuchTag(wanted)
    return [wanted]
  }

  #workOn(
    { domain, path }: Reference,
    auth: PushOptions['auth'],
    {
      compression,
      report,
      signal,
      stop,
    }: Pick<LayerPushDeps, 'compression' | 'report'> & Pick<IndexPushDeps, 'signal' | 'stop'>,
  ): IndexPushDeps {
    const { store, client } = this.#deps
    const repository = client.repository({ domain, path }, { credentials: credentialsOf(auth) })
    const layers = new LayerPush({
      store,
      repository,
      sending: this.#sending,
      slots: this.#slots,
      compression,
      compressBlock: this.#threads.compress,
      report,
      signal,
    })
    const note = (status: string): void => report({ status })
    const documents: IndexPushDeps['documents'] = new Map()
    return { store, repository, layers, documents, manifests: this.#manifests, signal, stop, note }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#threads[Symbol.asyncDispose]()
  }

  /** Everything is there: it gets its name, there and here. */
  async #finish(
    reference: Reference,
    plan: PushPlan,
    ready: ReadyManifest,
    work: IndexPushDeps,
    report: Report,
  ): Promise<void> {
    const { bytes, descriptor } = ready
    const tag = reference.tag ?? ''
    const { mediaType, digest, size } = descriptor
    await work.repository.putManifest(tag, { bytes, mediaType }, { signal: work.signal })

    await this.#record(reference, plan, ready)
    report({ status: `${tag}: digest: ${digest} size: ${size}` })
    report({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } })
    const { store } = this.#deps
    const image = store.rows.get(plan.imageId)
    if (image !== undefined) store.events.publish('push', image, formatFamiliar(reference))
  }

  /** The name leads to what the registry has now, and the digest becomes a name, too. */
  async #record(reference: Reference, plan: PushPlan, ready: ReadyManifest): Promise<void> {
    const { rows, references, deps, collector } = this.#deps.store
    await using _held = await collector.hold()
    const manifests = [ready, ...(ready.children ?? [])]
    for (const { bytes } of manifests) await deps.content.write(bytes)
    const { digest } = ready.descriptor
    deps.db.transaction(() => {
      for (const { descriptor, imageIds } of manifests) {
        for (const id of imageIds) if (rows.get(id) !== undefined) rows.putManifest(id, descriptor)
      }
      const name = formatReference(reference)
      // Another platform than the one that the name leads to gets no name of its own: nobody would remove it.
      if (references.get(name) !== plan.imageId) return
      if (plan.whole) references.put(name, plan.imageId, undefined, digest)
      const byDigest = { ...reference, tag: undefined, digest }
      references.put(formatReference(byDigest), plan.imageId, undefined, digest)
    })
    // Needed by nobody when the image was removed meanwhile; else they stay.
    await collector.discard({ blobs: manifests.map(({ descriptor }) => descriptor.digest) })
  }
}

function readyFor(plan: PushPlan, work: IndexPushDeps): Promise<ReadyManifest> {
  return plan.kind === 'index'
    ? readyIndex(plan.index, plan.variants, work)
    : readyImage(plan.imageId, plan.original, work)
}

function compressionFor(name: string): 'gzip' | 'zstd' {
  if (name === 'gzip' || name === 'zstd') return name
  throw unknownCompression(name)
}
