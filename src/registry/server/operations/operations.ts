/** Everything beside accounts, pull and push, put together: upkeep, quotas, caches, search, pages, webhooks, metrics. */
import { access as checkAccess, constants, mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { Background } from '#base/background.ts'
import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import { FileIngests } from '#store/ingests/file-ingests.ts'
import type { Ingests } from '#store/ingests/ingests.ts'
import { openRegistryClient } from '../../client/client.ts'
import { LAST_COLLECTION } from '../collection/collector.ts'
import type { CollectionSummary } from '../collection/report.ts'
import { readCollection } from '../collection/settings.ts'
import { every } from '../collection/schedule.ts'
import type { AccessControl } from '../access.ts'
import { EventPublisher } from '../event-publisher.ts'
import type { RegistryEventListener } from '../events.ts'
import type { Hooks } from '../hooks.ts'
import type { AnsweredRequest } from '../http/edge.ts'
import type { Route } from '../http/route.ts'
import { Metrics } from '../metrics/metrics.ts'
import { RequestLog } from '../metrics/requests.ts'
import { watchRoutes } from '../metrics/routes.ts'
import { adminRoutes } from '../pages-api/admin-routes.ts'
import { ConfigReader } from '../pages-api/config-reader.ts'
import { PageRows } from '../pages-api/page-rows.ts'
import { repositoryRoute, repositoryRoutes } from '../pages-api/repository-routes.ts'
import { tagRoutes } from '../pages-api/tag-routes.ts'
import { BlobCache } from '../proxy/blob-cache.ts'
import { ManifestCache } from '../proxy/manifest-cache.ts'
import { ProxyStatistics } from '../proxy/statistics.ts'
import { UpstreamLists } from '../proxy/upstream-lists.ts'
import { mirrorOf, readUpstreams, Upstreams } from '../proxy/upstreams.ts'
import { Quota, readQuota } from './quota.ts'
import { readRetention } from '../retention/rule.ts'
import { Section } from '../settings/section.ts'
import { searchRoutes } from '../search/routes.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import type { BlobStorage } from '../storage/storage.ts'
import { readWebhooks } from '../webhooks/endpoint.ts'
import { Webhooks } from '../webhooks/webhooks.ts'
import { addGauges } from './gauges.ts'
import { proxyHooks } from './proxy-hooks.ts'
import { Upkeep } from './upkeep.ts'

/** What all of this may use. */
export interface OperationsContext {
  /** Directory of the registry. */
  readonly root: string
  readonly catalogue: Catalogue
  readonly blobs: BlobStorage
  readonly clock: Clock
  readonly logger: Logger
  /** The value of a key of the configuration file, unread; undefined when it is not there. */
  setting(key: string): unknown
  /** `--mirror-of`. */
  readonly mirrorOf: string | undefined
  /** The accounts' rights, for lists that show what may be pulled. */
  readonly access: AccessControl
}

/** What the server hangs in. Disposing ends what is done in the background. */
export interface Operations extends AsyncDisposable {
  readonly routes: readonly Route[]
  readonly hooks: Hooks
  readonly listeners: readonly RegistryEventListener[]
  readonly answered: (request: AnsweredRequest) => void
}

/** Keys of the configuration file that are read here. */
export const operationsSettings = ['collection', 'proxy', 'quota', 'retention', 'url', 'webhooks'] as const

/** Throws `invalid_argument` for settings that mean nothing. */
export async function openOperations(context: OperationsContext): Promise<Operations> {
  const { catalogue, clock, logger } = context
  const settings = readSettings(context)
  await using opened = new AsyncDisposableStack()
  const metrics = new Metrics()
  const requests = new RequestLog(metrics, logger)
  const webhooks = new Webhooks({ db: catalogue.db, clock, logger, ...settings.webhooks })
  const proxy = await openProxy(context, settings.upstreams, metrics, opened)
  const upkeep = new Upkeep({
    ...context,
    ...settings,
    ingests: proxy.ingests,
    listener: webhooks.listener,
  })
  const quota = new Quota(catalogue.db, settings.quota)
  addGauges(metrics, { catalogue, clock, webhooks })
  runInBackground(context, { webhooks, upkeep, interval: settings.collection.interval }, opened)
  const all = opened.move()
  return {
    routes: routesOf(context, { metrics, webhooks, upkeep, quota, proxy, upstreams: settings.upstreams }),
    hooks: {
      ...proxy.hooks,
      beforePush: pushChecks(proxy.hooks, quota, upkeep),
      roomFor: (repository) => quota.room(repository),
    },
    listeners: [webhooks.listener],
    answered: (request) => requests.record(request),
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  }
}

/** Everything that a configuration says about it; throws `invalid_argument`. */
export function readSettings({ setting, mirrorOf: url }: Pick<OperationsContext, 'setting' | 'mirrorOf'>) {
  const own = new Section({ url: setting('url') ?? `http://${hostname()}` }, 'registry').url('url')
  const source = { baseUrl: own.href.replace(/\/+$/, ''), address: own.host, instanceId: randomUUID() }
  const upstreams = readUpstreams(setting('proxy'))
  return {
    collection: readCollection(setting('collection')),
    rules: readRetention(setting('retention')),
    quota: readQuota(setting('quota')),
    webhooks: { endpoints: readWebhooks(setting('webhooks')), source },
    upstreams: new Upstreams(url === undefined ? upstreams : [...upstreams, mirrorOf(url)]),
  }
}

interface Proxy {
  readonly hooks: Hooks
  readonly ingests: Ingests | undefined
  readonly statistics: ProxyStatistics
}

/** An upstream that does not answer is given up soon, because there may be something to serve in its place. */
const clientLimits = { connect: 5000, stall: 20_000, answer: 30_000 }

async function openProxy(
  context: OperationsContext,
  upstreams: Upstreams,
  metrics: Metrics,
  opened: AsyncDisposableStack,
): Promise<Proxy> {
  const { clock, logger, root } = context
  const statistics = new ProxyStatistics(metrics)
  if (upstreams.list.length === 0) return { hooks: {}, ingests: undefined, statistics }
  const ingests = new FileIngests({ dataRoot: join(root, 'proxy'), logger })
  await mkdir(join(root, 'proxy'), { recursive: true, mode: 0o700 })
  await ingests.recover()
  const client = opened.use(
    openRegistryClient({
      insecure: upstreams.list.filter(({ plain }) => plain).map(({ domain }) => domain),
      environment: process.env,
      attempts: 2,
      limits: clientLimits,
      userAgent: 'berth-registry',
      clock,
      logger,
      onReply: (registry, headers) =>
        statistics.observe(registry, (name) => headers[name]?.toString(), clock.now().getTime()),
    }),
  )
  const deps = { ...context, ingests, client, statistics }
  const manifests = new ManifestCache(deps)
  const blobs = new BlobCache(deps)
  opened.defer(async () => {
    await blobs.close()
    await manifests.idle()
  })
  return {
    hooks: proxyHooks({ upstreams, manifests, blobs, lists: new UpstreamLists(deps) }),
    ingests,
    statistics,
  }
}

function pushChecks(proxy: Hooks, quota: Quota, upkeep: Upkeep): NonNullable<Hooks['beforePush']> {
  return async (repository, push) => {
    await proxy.beforePush?.(repository, push)
    if (push.kind === 'manifest') upkeep.retention.checkPush(repository, push.tags, push.digest)
    quota.check(repository, push)
  }
}

function runInBackground(
  { catalogue, clock, logger }: OperationsContext,
  { webhooks, upkeep, interval }: { webhooks: Webhooks; upkeep: Upkeep; interval: number },
  opened: AsyncDisposableStack,
): void {
  const ended = new AbortController()
  const background = new Background(logger)
  background.run('webhooks', () => webhooks.run(ended.signal))
  background.run('upkeep', () =>
    every(
      { interval, first: firstCollection(catalogue, interval, clock) },
      async (signal) => {
        await upkeep.run({ signal })
      },
      { name: 'upkeep', clock, logger },
      ended.signal,
    ),
  )
  opened.defer(async () => {
    ended.abort()
    await background.idle()
  })
}

/** Restarts do not put it off; nor does everything begin with it. */
function firstCollection({ settings }: Catalogue, interval: number, clock: Clock): number {
  const last = settings.get(LAST_COLLECTION) as CollectionSummary | undefined
  const due = last === undefined ? interval : last.started + interval - clock.now().getTime()
  return Math.min(Math.max(due, SETTLING), interval)
}

/** Milliseconds after a start. */
const SETTLING = 60_000

function routesOf(
  context: OperationsContext,
  parts: {
    readonly metrics: Metrics
    readonly webhooks: Webhooks
    readonly upkeep: Upkeep
    readonly quota: Quota
    readonly proxy: Proxy
    readonly upstreams: Upstreams
  },
): readonly Route[] {
  const { access, blobs, catalogue, clock, logger, root } = context
  const events = new EventPublisher({ clock, logger, listeners: [parts.webhooks.listener] })
  const configs = new ConfigReader(blobs)
  const pages = { catalogue, configs, pages: new PageRows(catalogue.db), access, events, clock }
  return [
    ...watchRoutes({ metrics: parts.metrics, ready: () => ready(context, root), logger }),
    ...searchRoutes({ db: catalogue.db, access }),
    ...adminRoutes({
      catalogue,
      quota: parts.quota,
      webhooks: parts.webhooks,
      upstreams: parts.upstreams.list,
      proxyStatistics: parts.proxy.statistics,
      collect: (request) => parts.upkeep.collect(request),
      applyRetention: (request) => parts.upkeep.applyRetention(request),
    }),
    ...repositoryRoutes(pages),
    ...tagRoutes(pages),
    repositoryRoute(pages),
  ]
}

/** The database answers and the directory can be written to. */
async function ready({ catalogue }: OperationsContext, root: string): Promise<void> {
  catalogue.db.get('SELECT count(*) FROM settings')
  await checkAccess(root, constants.W_OK)
}
