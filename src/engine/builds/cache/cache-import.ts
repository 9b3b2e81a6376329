import { EngineError, isKind } from '#base/errors.ts'
import type { Report } from '#build/progress/progress.ts'
import { type FetchLayer, ForeignRecords } from '#build/solve/foreign-records.ts'
import { parseReference, type Reference, withDefaultTag } from '#oci/reference.ts'
import type { RegistryClient } from '#registry/client/repository.ts'
import type { ImageStore } from '../../images/image-store.ts'
import type { LayerFetches } from '../../pull/layer-fetches.ts'
import { type RemoteLayer, remoteImage } from '../../pull/remote-image.ts'
import { credentialsOf } from '../../registries/credentials.ts'
import type { Logins } from '../logins.ts'
import type { CacheLocation } from '../service.ts'
import { vertexReport } from '../vertex-report.ts'
import { recordsIn } from './cache-document.ts'
import { openCacheLayout } from './cache-layout.ts'

export interface CacheImportDeps {
  readonly registry: Pick<RegistryClient, 'repository'>
  readonly layers: Pick<LayerFetches, 'fetch'>
  readonly store: ImageStore
}

export interface CacheImportOptions {
  readonly auth: Logins
  readonly report: Report
  readonly now: () => string
  readonly signal: AbortSignal
}

/**
 * `--cache-from`: what others have recorded, for this build alone. A cache that cannot be read is told as a step that failed,
 * and the build goes on without it. Layers come when a step needs them.
 */
export async function importCaches(
  locations: readonly CacheLocation[],
  deps: CacheImportDeps,
  options: CacheImportOptions,
): Promise<ForeignRecords | undefined> {
  if (locations.length === 0) return undefined
  const records = new ForeignRecords()
  for (const location of locations) {
    const name = nameOf(location)
    try {
      await vertexReport(`importing cache from ${name}`, options.report, options.now, async ({ status }) => {
        const count =
          location.type === 'local'
            ? await importLayout(location, records, deps)
            : await importImage(location, records, deps, options)
        status(`${count} results of steps`)
      })
    } catch (error) {
      options.signal.throwIfAborted()
      // Without it everything can be built, too; what is wrong with the words of the request is for its author.
      if (isKind(error, 'invalid_argument') && !hasReference(location)) throw error
    }
  }
  return records
}

async function importLayout(
  { attributes }: CacheLocation,
  records: ForeignRecords,
  { store }: CacheImportDeps,
): Promise<number> {
  const source = required(attributes, 'src', 'local')
  const wanted = attributes['digest'] ?? attributes['tag']
  const layout = await openCacheLayout(source, wanted, store.deps.snapshots)
  const found = recordsIn(layout.config)
  records.addRecords(found, (layer, _below, signal) => layout.fetch(layer, signal))
  return found.length
}

async function importImage(
  location: CacheLocation,
  records: ForeignRecords,
  deps: CacheImportDeps,
  { auth, signal }: CacheImportOptions,
): Promise<number> {
  const text = required(location.attributes, 'ref', location.type)
  const reference = withDefaultTag(parseReference(text))
  const credentials = credentialsOf(await auth(reference.domain))
  const repository = deps.registry.repository(reference, { credentials })
  const { content } = deps.store.deps
  const image = await remoteImage(repository, tagOf(reference), {
    familiar: text,
    platform: undefined,
    content,
    signal,
  })
  const layers = new Map(image.layers.map((layer) => [layer.diffId, layer]))
  const found = recordsIn(image.config.document)
  const fetch: FetchLayer = async (layer, below, stop) => {
    const remote: RemoteLayer | undefined = layers.get(layer)
    if (remote === undefined) return false
    const wanted = { ...remote, repository, parents: () => Promise.resolve(below) }
    await deps.layers.fetch(wanted, { report: () => undefined, signal: stop })
    return true
  }
  records.addRecords(found, fetch)
  return found.length
}

function tagOf({ tag, digest }: Reference): string {
  return digest ?? tag ?? 'latest'
}

function hasReference({ type, attributes }: CacheLocation): boolean {
  return attributes[type === 'local' ? 'src' : 'ref'] !== undefined
}

function nameOf({ type, attributes }: CacheLocation): string {
  return attributes[type === 'local' ? 'src' : 'ref'] ?? type
}

/** Attribute of a cache location that it cannot do without. */
export function required(attributes: Readonly<Record<string, string>>, key: string, type: string): string {
  const value = attributes[key]
  if (value !== undefined && value !== '') return value
  throw new EngineError('invalid_argument', `build cache of type ${type} needs ${key}=…`, {
    code: 'BUILD_CACHE_ATTRIBUTE',
  })
}
