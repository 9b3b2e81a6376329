import { messageOf } from '#base/errors.ts'
import type { Filesystem } from '#build/graph/operations.ts'
import type { Report } from '#build/progress/progress.ts'
import type { StepRecord } from '#build/solve/foreign-records.ts'
import { recordsOf, type Solved } from '#build/solve/solved.ts'
import { hostPlatform } from '#oci/platform.ts'
import { parseReference, withDefaultTag } from '#oci/reference.ts'
import type { BuildCache } from '#store/build-cache/build-cache.ts'
import type { LayerRow } from '#store/images.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import { encodeJson } from '../../images/manifest.ts'
import type { Pushes } from '../../push/push.ts'
import type { Logins } from '../logins.ts'
import type { CacheLocation } from '../service.ts'
import { vertexReport } from '../vertex-report.ts'
import { cacheConfig } from './cache-document.ts'
import { required } from './cache-import.ts'
import { writeCacheLayout } from './cache-layout.ts'

export interface CacheExportDeps {
  readonly cache: Pick<BuildCache, 'contentOf'>
  readonly publisher: Pick<Pushes, 'publish'>
  readonly snapshots: Pick<Snapshots, 'layer' | 'tar'>
}

export interface CacheExportOptions {
  readonly auth: Logins
  readonly report: Report
  readonly now: () => string
  readonly signal: AbortSignal
}

/** What was solved, as others can take it over: `min` only what the images consist of, `max` every step. */
export function exportedRecords(
  mode: 'min' | 'max',
  targets: readonly Filesystem[],
  solved: ReadonlyMap<Filesystem, Solved>,
  cache: CacheExportDeps['cache'],
): readonly StepRecord[] {
  const ends = mode === 'max' ? [...targets, ...solved.keys()] : targets
  const records = new Map<string, StepRecord>()
  for (const end of ends) {
    for (const record of recordsOf(end, solved, cache)) {
      records.set(`${record.definition.key} ${record.definition.below}`, record)
    }
  }
  return [...records.values()]
}

/** `--cache-to`. Fails as a push does, unless `ignore-error=true`. */
export async function exportCaches(
  locations: readonly CacheLocation[],
  recordsFor: (mode: 'min' | 'max') => readonly StepRecord[],
  deps: CacheExportDeps,
  options: CacheExportOptions,
): Promise<void> {
  for (const location of locations) {
    if (location.type === 'inline') continue
    const { attributes } = location
    const mode = attributes['mode'] === 'max' ? 'max' : 'min'
    try {
      await exportCache(location, recordsFor(mode), deps, options)
    } catch (error) {
      options.signal.throwIfAborted()
      if (attributes['ignore-error'] !== 'true') throw error
      await vertexReport(`cache was not exported: ${messageOf(error)}`, options.report, options.now, () =>
        Promise.resolve(),
      )
    }
  }
}

async function exportCache(
  { type, attributes }: CacheLocation,
  records: readonly StepRecord[],
  deps: CacheExportDeps,
  { auth, report, now, signal }: CacheExportOptions,
): Promise<void> {
  const document = cacheConfig(hostPlatform(), records)
  const config = encodeJson(document)
  const layers = await layerRows(document.rootfs.diff_ids, deps.snapshots)
  if (type === 'local') {
    const directory = required(attributes, 'dest', type)
    const tag = attributes['tag'] ?? 'latest'
    await vertexReport(`exporting cache to ${directory}`, report, now, () =>
      writeCacheLayout(directory, { config, layers, tag }, deps.snapshots, signal),
    )
    return
  }
  const reference = withDefaultTag(parseReference(required(attributes, 'ref', type)))
  const push = { tag: undefined, platform: undefined, auth: await auth(reference.domain), signal }
  await vertexReport(`exporting cache to ${attributes['ref'] ?? ''}`, report, now, async ({ status }) => {
    const messages = deps.publisher.publish(reference, { config, layers }, push)
    for await (const { id, status: text = '' } of messages) if (id === undefined) status(text)
  })
}

async function layerRows(
  diffIds: Iterable<LayerRow['diffId']>,
  snapshots: Pick<Snapshots, 'layer'>,
): Promise<LayerRow[]> {
  const rows: LayerRow[] = []
  for (const diffId of diffIds) {
    const layer = await snapshots.layer(diffId)
    if (layer !== undefined) rows.push({ diffId, size: layer.size })
  }
  return rows
}
