/**
 * Removes what nobody needs any more, while the registry serves, and from another process as well. What makes that safe:
 *
 * - nothing goes that was written, touched or pulled within the grace period; whoever relies on something (a push that
 *   was told that a blob is here) has touched it first, in the database;
 * - rows go first, in transactions that see all touches; a repository without a row for a blob does not have it;
 * - files go last, and only when no row is left anywhere; BlobStorage refuses those that were written meanwhile;
 * - in between, the rows' removal is made durable: after a power cut no row speaks of a file that is gone.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import type { Ingests } from '#store/ingests/ingests.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import type { BlobFacts, BlobStorage } from '../storage/storage.ts'
import { CollectionRows } from './collection-rows.ts'
import { blobRemoval, type CollectionReport, freedBy, reasons, type Removal, summaryOf } from './report.ts'

export interface CollectorDeps {
  readonly catalogue: Catalogue
  readonly blobs: BlobStorage
  readonly clock: Clock
  /** Partial blobs of a pull-through cache. */
  readonly ingests?: Ingests | undefined
}

/** Milliseconds. */
export interface CollectOptions {
  readonly grace: number
  /** Everywhere, or in these repositories. */
  readonly deleteUntagged: boolean | readonly string[]
  readonly uploads: number
  readonly dryRun?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Where the summary of the last collection is kept among the settings. */
export const LAST_COLLECTION = 'collection.last'

const BATCH = 500

type Blob = { readonly digest: Digest } & BlobFacts

export class Collector {
  readonly #deps: CollectorDeps
  readonly #rows: CollectionRows

  constructor(deps: CollectorDeps) {
    this.#deps = deps
    this.#rows = new CollectionRows(deps.catalogue.db)
  }

  async collect(options: CollectOptions): Promise<CollectionReport> {
    const { catalogue, clock } = this.#deps
    const dryRun = options.dryRun ?? false
    const started = clock.now().getTime()
    const cutoff = started - options.grace
    const idle = await this.#idleUploads(started - options.uploads, options)
    const rows = await this.#collectRows(options, cutoff, await this.#busy(cutoff))
    if (!dryRun) await catalogue.durable()
    const files = await this.#collectFiles(options, cutoff, rows.freed)
    const removals = [...rows.removals, ...files.removals, ...idle]
    const report = {
      started,
      ended: clock.now().getTime(),
      dryRun,
      removals,
      blobs: files.seen,
      freed: freedBy(removals),
    }
    if (!dryRun) catalogue.settings.put(LAST_COLLECTION, summaryOf(report))
    return report
  }

  /**
   * One repository after the other, so that nobody waits long. A dry run does the same and takes it back, so that it
   * cannot be wrong about what would happen.
   */
  async #collectRows(
    { deleteUntagged, dryRun, signal }: CollectOptions,
    cutoff: number,
    busy: ReadonlySet<string>,
  ): Promise<{ readonly removals: readonly Removal[]; readonly freed: ReadonlySet<Digest> }> {
    const { catalogue } = this.#deps
    const removals: Removal[] = []
    for (const repository of this.#rows.repositories()) {
      signal?.throwIfAborted()
      const untagged =
        deleteUntagged === true || (deleteUntagged !== false && deleteUntagged.includes(repository))
      const work = (): Removal[] => [
        ...(untagged ? this.#untagged(repository, cutoff) : []),
        ...(busy.has(repository) ? [] : this.#unneeded(repository, cutoff)),
      ]
      removals.push(...(dryRun === true ? rolledBack(catalogue, work) : catalogue.transaction(work)))
      await turn()
    }
    return { removals, freed: dryRun === true ? this.#freedBy(removals) : new Set() }
  }

  #untagged(repository: string, cutoff: number): readonly Removal[] {
    return this.#rows
      .deleteUntagged(repository, cutoff)
      .map(({ digest, size }) => removal('manifest', repository, digest, size, reasons.untagged))
  }

  #unneeded(repository: string, cutoff: number): readonly Removal[] {
    return this.#rows
      .deleteUnneededLinks(repository, cutoff)
      .map(({ blob, size }) => removal('link', repository, blob, size, reasons.unneeded))
  }

  /** Blobs that nobody would hold any more. */
  #freedBy(removals: readonly Removal[]): ReadonlySet<Digest> {
    const links = Map.groupBy(
      removals.filter(({ kind }) => kind === 'link'),
      ({ id }) => id as Digest,
    )
    return new Set(
      [...links].filter(([blob, { length }]) => this.#rows.holders(blob) === length).map(([b]) => b),
    )
  }

  async #collectFiles(
    options: CollectOptions,
    cutoff: number,
    freed: ReadonlySet<Digest>,
  ): Promise<{ readonly removals: readonly Removal[]; readonly seen: number }> {
    const removals: Removal[] = []
    let seen = 0
    let batch: Blob[] = []
    const settle = async (): Promise<void> => {
      removals.push(...(await this.#collectBatch(batch, options, cutoff, freed)))
      batch = []
    }
    for await (const blob of this.#deps.blobs.blobs()) {
      options.signal?.throwIfAborted()
      seen++
      if (blob.touched >= cutoff) continue
      batch.push(blob)
      if (batch.length >= BATCH) await settle()
    }
    await settle()
    return { removals, seen }
  }

  async #collectBatch(
    batch: readonly Blob[],
    { dryRun }: CollectOptions,
    cutoff: number,
    freed: ReadonlySet<Digest>,
  ): Promise<readonly Removal[]> {
    const unlinked = new Set(this.#rows.unlinked(batch.map(({ digest }) => digest)))
    const dead = batch.filter(({ digest }) => unlinked.has(digest) || (dryRun === true && freed.has(digest)))
    const removals: Removal[] = []
    for (const { digest, size } of dead) {
      if (dryRun === true || (await this.#deps.blobs.remove(digest, cutoff))) {
        removals.push(blobRemoval(digest, size))
      }
    }
    return removals
  }

  /** Repositories into which something has been received since `cutoff`. */
  async #busy(cutoff: number): Promise<ReadonlySet<string>> {
    const busy = new Set<string>()
    for await (const { id, touched } of this.#deps.blobs.uploads()) {
      const row = touched >= cutoff ? this.#deps.catalogue.uploads.get(id) : undefined
      if (row !== undefined) busy.add(row.repository)
    }
    return busy
  }

  async #idleUploads(before: number, { dryRun }: CollectOptions): Promise<readonly Removal[]> {
    const { blobs, catalogue, ingests } = this.#deps
    const removals: Removal[] = []
    const present = new Set<string>()
    for await (const { id, size, touched } of blobs.uploads()) {
      present.add(id)
      if (touched >= before) continue
      const repository = catalogue.uploads.get(id)?.repository
      if (dryRun !== true && !(await this.#purge(id))) continue
      removals.push(removal('upload', repository, id, size, reasons.idle))
    }
    if (dryRun === true) return removals
    for (const { id, begun } of catalogue.uploads.all()) {
      if (!present.has(id) && begun < before) catalogue.uploads.remove(id)
    }
    for (const { digest, stored } of (await ingests?.expire(before)) ?? []) {
      removals.push(removal('partial', undefined, digest, stored, reasons.idle))
    }
    return removals
  }

  /** False when somebody writes to it after all. */
  async #purge(id: string): Promise<boolean> {
    const { blobs, catalogue } = this.#deps
    try {
      await using upload = await blobs.upload(id)
      await upload.cancel()
    } catch (error) {
      if (isKind(error, 'conflict') || isKind(error, 'not_found')) return false
      throw error
    }
    catalogue.uploads.remove(id)
    return true
  }
}

function removal(
  kind: Removal['kind'],
  repository: string | undefined,
  id: string,
  bytes: number,
  reason: string,
): Removal {
  return { kind, repository, id, bytes, reason }
}

/** The result of `work`, whose changes are taken back. */
export function rolledBack<T extends object>(catalogue: Catalogue, work: () => T): T {
  const undo = new RollBack<T>()
  try {
    catalogue.transaction(() => {
      undo.result = work()
      throw undo
    })
  } catch (error) {
    if (error !== undo || undo.result === undefined) throw error
  }
  return undo.result as T
}

class RollBack<T> extends Error {
  result: T | undefined
}
