/** What is done again and again so that a registry does not grow for ever. */
import { randomUUID } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import type { Ingests } from '#store/ingests/ingests.ts'
import { Collector } from '../collection/collector.ts'
import { type CollectionReport, summaryOf } from '../collection/report.ts'
import type { CollectionSettings } from '../collection/settings.ts'
import type { RegistryEventListener } from '../events.ts'
import { CachedRows } from '../proxy/cached-rows.ts'
import type { Upstreams } from '../proxy/upstreams.ts'
import { Retention, type RetentionReport } from '../retention/retention.ts'
import type { RetentionRule } from '../retention/rule.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import type { BlobStorage } from '../storage/storage.ts'
import type { TagRow } from '../storage/tag-rows.ts'

export interface UpkeepDeps {
  readonly catalogue: Catalogue
  readonly blobs: BlobStorage
  readonly ingests?: Ingests | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly collection: CollectionSettings
  readonly rules: readonly RetentionRule[]
  readonly upstreams: Upstreams
  /** Told of tags that rules delete. */
  readonly listener?: RegistryEventListener | undefined
}

/** What differs from the settings. */
export interface UpkeepRequest {
  readonly dryRun?: boolean | undefined
  /** Milliseconds. */
  readonly grace?: number | undefined
  readonly deleteUntagged?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export class Upkeep {
  readonly retention: Retention
  readonly #deps: UpkeepDeps
  readonly #collector: Collector

  constructor(deps: UpkeepDeps) {
    this.#deps = deps
    this.retention = new Retention(deps)
    this.#collector = new Collector(deps)
  }

  /**
   * Rules for tags, eviction from caches, and then what nobody needs any more. The collection of a dry run leaves out
   * what would only go with the tags that the rules would delete.
   */
  async run(
    request: UpkeepRequest = {},
  ): Promise<{ readonly retention: RetentionReport; readonly collection: CollectionReport }> {
    const retention = await this.applyRetention({ dryRun: request.dryRun ?? false })
    if (request.dryRun !== true) this.#evict()
    return { retention, collection: await this.collect(request) }
  }

  async applyRetention(options: { readonly dryRun: boolean }): Promise<RetentionReport> {
    const report = await this.retention.apply(options)
    if (report.deleted.length > 0 && !report.dryRun) {
      this.#deps.logger.info('tags deleted by retention rules', {
        tags: report.deleted.map(({ tag }) => `${tag.repository}:${tag.tag}`),
      })
      for (const { tag } of report.deleted) this.#tell(tag)
    }
    return report
  }

  async collect({ dryRun, grace, deleteUntagged, signal }: UpkeepRequest = {}): Promise<CollectionReport> {
    const { collection, logger } = this.#deps
    const everywhere = deleteUntagged ?? collection.deleteUntagged
    const report = await this.#collector.collect({
      grace: grace ?? collection.grace,
      // A rule that deletes tags means what they led to.
      deleteUntagged: everywhere || this.#ruled(),
      uploads: collection.uploads,
      dryRun,
      signal,
    })
    if (dryRun !== true) logger.info('garbage collected', { ...summaryOf(report) })
    return report
  }

  #tell({ repository, tag, manifest: digest }: TagRow): void {
    const { catalogue, clock, listener } = this.#deps
    const row = catalogue.manifests.get(repository, digest)
    listener?.({
      id: randomUUID(),
      at: clock.now().getTime(),
      action: 'delete',
      repository,
      digest,
      tag,
      mediaType: row?.mediaType ?? '',
      size: row?.size ?? 0,
      actor: 'retention',
      remoteAddress: '',
      userAgent: 'berth-registry',
    })
  }

  #ruled(): readonly string[] {
    return this.#deps.catalogue.db
      .all<{ name: string }>('SELECT name FROM repositories')
      .map(({ name }) => name)
      .filter((name) => this.retention.covers(name))
  }

  #evict(): void {
    const { catalogue, clock, logger, upstreams } = this.#deps
    for (const upstream of upstreams.list) {
      if (upstream.keep === 0) continue
      const evicted = new CachedRows(catalogue).evict(
        (name) => upstreams.locate(name)?.upstream === upstream,
        clock.now().getTime() - upstream.keep,
      )
      if (evicted > 0) logger.info('manifests evicted', { upstream: upstream.domain, manifests: evicted })
    }
  }
}
