/** The composition root of the registry: everything is opened in order, and closed in the opposite one. */
import { type Clock, systemClock } from '#base/clock.ts'
import { Background } from '#base/background.ts'
import type { Logger } from '#base/logger.ts'
import type { TwinOf } from '#store/content/twin.ts'
import { type AccessControl, openAccess } from './access.ts'
import { openAccounts } from './access/accounts.ts'
import { checkExposure } from './access/exposure.ts'
import { tokenRoutes } from './access/routes.ts'
import { checkRightsNeedAccounts } from './access/settings.ts'
import { TlsFiles } from './access/tls-files.ts'
import type { RegistryConfig } from './config.ts'
import type { Route } from './http/route.ts'
import { openOperations } from './operations/operations.ts'
import { lockRoot } from './root-lock.ts'
import { checkStorage, type StoredDamage } from './storage/check.ts'
import {
  openRegistryServer,
  openRegistryStorage,
  type RegistryServer,
  type RegistryStorage,
} from './serve.ts'

export interface RegistryDeps {
  readonly logger: Logger
  readonly clock?: Clock
  /** Of another store on the same filesystem, which shares files with this one. */
  readonly twinOf?: TwinOf | undefined
}

/** A registry that serves. Disposing lets running requests end for a while. */
export interface Registry extends AsyncDisposable {
  readonly url: string
  readonly root: string
  /** What is damaged, while it serves. */
  check(options: { readonly signal: AbortSignal }): AsyncIterable<StoredDamage>
  /** For SIGHUP: certificates are read again. */
  reload(): Promise<void>
}

/** Opens everything that the configuration asks for. Throws `invalid_argument`, `conflict`, `unavailable`, `data_loss`. */
export async function openRegistry(config: RegistryConfig, deps: RegistryDeps): Promise<Registry> {
  const { logger, clock = systemClock, twinOf } = deps
  const hasAccounts = config.htpasswd !== undefined
  const { host } = config.listen
  checkExposure({ host, hasTls: config.tls !== undefined, hasAccounts, insecureOpen: config.insecureOpen })
  const tls = config.tls === undefined ? undefined : await TlsFiles.open(config.tls, { clock, logger })

  await using opened = new AsyncDisposableStack()
  opened.use(await lockRoot(config.root))
  const storage = opened.use(await openRegistryStorage({ root: config.root, logger, clock, twinOf }))
  const control = await openControl(config, storage, { logger, clock }, opened)
  const operations = opened.use(
    await openOperations({
      ...storage,
      root: config.root,
      mirrorOf: config.mirrorOf,
      access: control.access,
      setting: (key) => config.settings[key],
      logger,
      clock,
    }),
  )
  const server = opened.use(
    await openRegistryServer({
      ...storage,
      ...operations,
      routes: [...control.routes, ...operations.routes],
      access: control.access,
      tls: tls?.tls,
      listen: config.listen,
      limits: config.limits,
      readOnly: config.readOnly,
      logger,
      clock,
    }),
  )
  if (tls !== undefined) watchTls(tls, server, logger, opened)
  const all = opened.move()
  return {
    url: server.url,
    root: config.root,
    check: (options) => checkStorage(storage, options),
    async reload() {
      if ((await tls?.reload()) === true && tls !== undefined) server.renewTls(tls.tls)
    },
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  }
}

type Deps = Required<Omit<RegistryDeps, 'twinOf'>>

async function openControl(
  { htpasswd, root, access }: RegistryConfig,
  { catalogue }: RegistryStorage,
  deps: Deps,
  opened: AsyncDisposableStack,
): Promise<{ readonly access: AccessControl; readonly routes: readonly Route[] }> {
  checkRightsNeedAccounts(access, htpasswd !== undefined)
  if (htpasswd === undefined) return { access: openAccess, routes: [] }
  const accounts = opened.use(
    await openAccounts({ root, htpasswd, settings: access, db: catalogue.db, ...deps }),
  )
  return { access: accounts.access, routes: tokenRoutes(accounts.tokens) }
}

function watchTls(tls: TlsFiles, server: RegistryServer, logger: Logger, opened: AsyncDisposableStack): void {
  const ended = new AbortController()
  const background = new Background(logger)
  background.run('watching certificates', () =>
    tls.watch((renewed) => server.renewTls(renewed), { signal: ended.signal }),
  )
  opened.defer(async () => {
    ended.abort()
    await background.idle()
  })
}
