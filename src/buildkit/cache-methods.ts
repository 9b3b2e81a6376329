import { EngineError } from '#base/errors.ts'
import type { BuildCacheRecord, BuildService } from '#engine/builds/service.ts'
import type { Filters } from '#engine/services.ts'
import { type Methods, streaming, unary } from './grpc/server.ts'
import { DiskUsageRequest, DiskUsageResponse, PruneRequest, UsageRecord } from './messages/control.ts'
import type { Of } from './wire/message.ts'
import { timestampOf } from './wire/timestamp.ts'

const SERVICE = '/moby.buildkit.v1.Control'
const NANOSECONDS = 1_000_000_000n

/** What `moby.buildkit.v1.Control` has about the cache. */
export function cacheMethods(builds: Pick<BuildService, 'usage' | 'prune'>): Methods {
  return {
    [`${SERVICE}/DiskUsage`]: unary(DiskUsageRequest, DiskUsageResponse, async ({ filter }) => ({
      records: (await builds.usage(filtersOf(filter))).map(usageRecord),
    })),
    [`${SERVICE}/Prune`]: streaming(PruneRequest, UsageRecord, async function* prune(request, { signal }) {
      const before = new Map((await builds.usage()).map((record) => [record.ID, record]))
      const { CachesDeleted } = await builds.prune({ ...pruneOptions(request), signal })
      for (const id of CachesDeleted) {
        const record = before.get(id)
        if (record !== undefined) yield usageRecord(record)
      }
    }),
  }
}

function pruneOptions(request: PruneRequest): Parameters<BuildService['prune']>[0] {
  const { all, keepDuration, reservedSpace, maxUsedSpace, minFreeSpace } = request
  const filters = new Map(filtersOf(request.filter))
  if (keepDuration > 0n) filters.set('until', [`${keepDuration / NANOSECONDS}s`])
  const limit = (bytes: bigint): number | undefined => (bytes === 0n ? undefined : Number(bytes))
  return {
    all,
    filters,
    keepStorage: undefined,
    reservedSpace: limit(reservedSpace),
    maxUsedSpace: limit(maxUsedSpace),
    minFreeSpace: limit(minFreeSpace),
  }
}

/** `type==regular`, `id~=abc`, `inuse`: conditions as containerd has them, all of which have to hold. */
function filtersOf(texts: readonly string[]): Filters {
  const filters = new Map<string, readonly string[]>()
  for (const condition of texts.flatMap((text) => text.split(','))) {
    if (condition === '') continue
    const [, key, value = ''] = /^([a-z-]+)(?:(?:==|~=|=)(.*))?$/s.exec(condition) ?? []
    if (key === undefined) {
      throw new EngineError(
        'invalid_argument',
        `invalid filter ${JSON.stringify(condition)}: want key==value`,
        {
          code: 'FILTER_INVALID',
        },
      )
    }
    filters.set(key, [value])
  }
  return filters
}

function usageRecord(record: BuildCacheRecord): Of<typeof UsageRecord> {
  const { ID: id, InUse: inUse, Size, CreatedAt, LastUsedAt, UsageCount, Type } = record
  return {
    id,
    mutable: Type === 'exec.cachemount',
    inUse,
    size: BigInt(Size),
    createdAt: timestampOf(CreatedAt),
    lastUsedAt: LastUsedAt === null ? undefined : timestampOf(LastUsedAt),
    usageCount: BigInt(UsageCount),
    description: record.Description,
    recordType: Type,
    shared: record.Shared,
    parents: record.Parents ?? [],
  }
}
