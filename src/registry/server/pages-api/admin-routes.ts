import type { CollectionReport } from '../collection/report.ts'
import { json, type Reply } from '../http/reply.ts'
import { route, type RegistryRequest, type Route } from '../http/route.ts'
import type { ProxyStatistics } from '../proxy/statistics.ts'
import type { Upstream } from '../proxy/upstreams.ts'
import type { Quota } from '../operations/quota.ts'
import type { RetentionReport } from '../retention/retention.ts'
import { parseDuration } from '../settings/units.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import type { Delivery } from '../webhooks/delivery-rows.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'
import { documentOf } from './body.ts'
import { countOf, invalid, timeOf } from './query.ts'
import { storageReport } from './storage-report.ts'

/** What an administrator asked for; absent: as configured. */
export interface CollectionRequest {
  readonly dryRun: boolean
  readonly grace: number | undefined
  readonly deleteUntagged: boolean | undefined
  readonly signal: AbortSignal
}

export interface AdminDeps {
  readonly catalogue: Catalogue
  readonly quota: Quota
  readonly webhooks: Webhooks
  readonly upstreams: readonly Upstream[]
  readonly proxyStatistics: ProxyStatistics
  readonly collect: (request: CollectionRequest) => Promise<CollectionReport>
  readonly applyRetention: (options: { readonly dryRun: boolean }) => Promise<RetentionReport>
}

const admin = (): { readonly kind: 'admin' } => ({ kind: 'admin' })

/** What only administrators see and do. */
export function adminRoutes(deps: AdminDeps): readonly Route[] {
  return [
    route({
      operation: 'StorageReport',
      method: 'GET',
      path: '/api/v1/storage',
      resource: admin,
      handle: () => json(storageReport(deps.catalogue, deps.quota)),
    }),
    route({
      operation: 'CollectionRun',
      method: 'POST',
      path: '/api/v1/collection',
      resource: admin,
      handle: (request) => collect(deps, request),
    }),
    route({
      operation: 'RetentionRun',
      method: 'POST',
      path: '/api/v1/retention',
      resource: admin,
      handle: (request) => retain(deps, request),
    }),
    route({
      operation: 'DeliveryList',
      method: 'GET',
      path: '/api/v1/deliveries',
      resource: admin,
      handle: ({ query }) => json(deliveries(deps, query)),
    }),
    route({
      operation: 'UpstreamList',
      method: 'GET',
      path: '/api/v1/upstreams',
      resource: admin,
      handle: () => json({ upstreams: deps.upstreams.map((upstream) => upstreamView(deps, upstream)) }),
    }),
  ]
}

async function collect(deps: AdminDeps, request: RegistryRequest): Promise<Reply> {
  const { dry_run: dryRun, grace, delete_untagged: deleteUntagged } = await documentOf(request)
  const milliseconds = grace === undefined ? undefined : parseDuration(grace)
  if (grace !== undefined && milliseconds === undefined)
    throw invalid('grace must be a duration such as "1h"')
  const report = await deps.collect({
    dryRun: dryRun === true,
    grace: milliseconds,
    deleteUntagged: typeof deleteUntagged === 'boolean' ? deleteUntagged : undefined,
    signal: request.signal,
  })
  return json({
    dry_run: report.dryRun,
    started: timeOf(report.started),
    ended: timeOf(report.ended),
    freed: report.freed,
    blobs: report.blobs,
    removals: report.removals,
  })
}

async function retain({ applyRetention }: AdminDeps, request: RegistryRequest): Promise<Reply> {
  const { dry_run: dryRun } = await documentOf(request)
  const report = await applyRetention({ dryRun: dryRun === true })
  return json({
    dry_run: report.dryRun,
    kept: report.kept,
    deleted: report.deleted.map(({ tag, reason }) => ({
      repository: tag.repository,
      tag: tag.tag,
      digest: tag.manifest,
      reason,
    })),
  })
}

function deliveries({ webhooks }: AdminDeps, query: URLSearchParams): object {
  const limit = Math.min(countOf(query, 'limit') ?? 50, 500)
  const found = webhooks.deliveries({ limit, before: countOf(query, 'before') })
  return {
    pending: Object.fromEntries(webhooks.pending()),
    deliveries: found.map(deliveryView),
  }
}

function deliveryView(delivery: Delivery): object {
  return {
    id: delivery.sequence,
    endpoint: delivery.endpoint,
    state: delivery.state,
    attempts: delivery.attempts,
    status: delivery.status,
    error: delivery.error,
    created: timeOf(delivery.created),
    ended: timeOf(delivery.ended),
    next_attempt: delivery.state === 'pending' ? timeOf(delivery.due) : null,
    event: JSON.parse(delivery.event) as unknown,
  }
}

function upstreamView({ proxyStatistics }: AdminDeps, { prefix, domain, ttl, keep }: Upstream): object {
  const limit = proxyStatistics.limits().get(domain)
  return {
    prefix,
    domain,
    ttl_seconds: ttl / 1000,
    keep_seconds: keep / 1000,
    rate_limit:
      limit === undefined
        ? null
        : {
            limit: limit.limit ?? null,
            remaining: limit.remaining ?? null,
            window_seconds: limit.window ?? null,
            seen: timeOf(limit.seen),
          },
  }
}
