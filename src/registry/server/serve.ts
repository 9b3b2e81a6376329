/**
 * The registry's server: storage, catalogue and HTTP put together. What comes from other rooms (accounts, webhooks,
 * a cache in front of other registries, quotas, pages) is handed in.
 *
 *     await using storage = await openRegistryStorage({ root, logger })
 *     await using server = await openRegistryServer({ ...storage, listen: { host: '127.0.0.1', port: 5000 }, logger })
 */
import { mkdir } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Server as TlsServer, type TlsOptions } from 'node:tls'
import { once } from 'node:events'
import { Background } from '#base/background.ts'
import { type Clock, systemClock, settlesWithin } from '#base/clock.ts'
import { EngineError, messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { TwinOf } from '#store/content/twin.ts'
import { type AccessControl, openAccess } from './access.ts'
import { EventPublisher } from './event-publisher.ts'
import type { RegistryEventListener } from './events.ts'
import type { Hooks } from './hooks.ts'
import { type AnsweredRequest, type EdgeDeps, serve } from './http/edge.ts'
import type { Route } from './http/route.ts'
import { Router } from './http/router.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { distributionRoutes } from './routes/routes.ts'
import { type Catalogue, openCatalogue } from './storage/catalogue.ts'
import { FileBlobs } from './storage/file-blobs.ts'
import type { BlobStorage } from './storage/storage.ts'

export interface RegistryStorage extends AsyncDisposable {
  readonly catalogue: Catalogue
  readonly blobs: BlobStorage
}

/** Opens or creates what lies at `root`. One process at a time. */
export async function openRegistryStorage(options: {
  readonly root: string
  readonly logger: Logger
  readonly clock?: Clock
  /** Of another store on the same filesystem, which shares files with this one. */
  readonly twinOf?: TwinOf | undefined
}): Promise<RegistryStorage> {
  const { root, logger, clock = systemClock, twinOf } = options
  await mkdir(root, { recursive: true, mode: 0o700 })
  const blobs = new FileBlobs({ root, clock, twinOf })
  await blobs.recover()
  const catalogue = openCatalogue(join(root, 'registry.db'), { logger })
  return { catalogue, blobs, [Symbol.asyncDispose]: () => catalogue[Symbol.asyncDispose]() }
}

export interface RegistryServerOptions {
  readonly catalogue: Catalogue
  readonly blobs: BlobStorage
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number }
  readonly logger: Logger
  readonly clock?: Clock
  /** Without it everybody may do everything. */
  readonly access?: AccessControl | undefined
  /** Certificate and key, and whom clients must be known to; access/tls-files.ts reads them from files. */
  readonly tls?: TlsOptions | undefined
  readonly listeners?: readonly RegistryEventListener[]
  readonly hooks?: Hooks
  /** Asked before those of the specification. */
  readonly routes?: readonly Route[]
  readonly limits?: Partial<Limits>
  /** Nothing can be pushed or deleted. */
  readonly readOnly?: boolean
  /** Told of every request when it has been answered. */
  readonly answered?: (request: AnsweredRequest) => void
}

/** Disposing lets running requests end for a while, then ends them. */
export interface RegistryServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** `http://127.0.0.1:5000` */
  readonly url: string
  /** New connections get this certificate. Nothing happens without TLS. */
  renewTls(tls: TlsOptions): void
}

/** Milliseconds between looks for clients whose request does not come. */
const CHECK_EVERY = 5000
/** Milliseconds that a connection may be idle: a client pauses between the layers of an image. */
const KEEP_ALIVE = 60_000
/** Milliseconds that running requests get when the server closes. */
const GRACE = 10_000

/** Resolves when it accepts connections. Throws `unavailable` when it cannot listen. */
export async function openRegistryServer(options: RegistryServerOptions): Promise<RegistryServer> {
  const { logger, clock = systemClock, tls } = options
  const limits = { ...defaultLimits, ...options.limits }
  const closed = new AbortController()
  const running = new Background(logger)
  const edge = edgeDeps(options, limits, closed.signal)
  const handle =
    (waits: boolean): RequestListener =>
    (request, response) =>
      running.run('request', () => serve(edge, request, response, waits))
  const timing = { connectionsCheckingInterval: CHECK_EVERY, keepAliveTimeout: KEEP_ALIVE }
  const server: Server =
    tls === undefined
      ? createServer(timing)
      : createTlsServer({ handshakeTimeout: limits.headers, ...timing, ...tls })
  server.on('request', handle(false)).on('checkContinue', handle(true))
  server.maxConnections = limits.connections
  server.headersTimeout = limits.headers
  // A large push takes as long as it takes; who stalls is cut off by the edge.
  server.requestTimeout = 0
  await listen(server, options.listen)
  const { address: host, port } = server.address() as AddressInfo
  return {
    host,
    port,
    url: `${tls === undefined ? 'http' : 'https'}://${urlHost(host)}:${port}`,
    renewTls: (renewed) => {
      if (server instanceof TlsServer) server.setSecureContext(renewed)
    },
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeIdleConnections()
      if (!(await settlesWithin(clock, GRACE, running.idle()))) closed.abort()
      server.closeAllConnections()
      await running.idle()
    },
  }
}

function edgeDeps(options: RegistryServerOptions, limits: Limits, closed: AbortSignal): EdgeDeps {
  const { catalogue, blobs, logger, clock = systemClock, access = openAccess } = options
  const events = new EventPublisher({ clock, logger, listeners: options.listeners ?? [] })
  const hooks = options.hooks ?? {}
  const content = { catalogue, blobs, access, events, hooks, limits, clock, logger }
  return {
    router: new Router([
      ...(options.routes ?? []),
      ...distributionRoutes(content, options.readOnly ?? false),
    ]),
    access,
    logger,
    repositoryOf: (name, query) => hooks.repositoryOf?.(name, query) ?? name,
    stall: limits.stall,
    closed,
    answered: options.answered ?? (() => undefined),
  }
}

async function listen(server: Server, { host, port }: RegistryServerOptions['listen']): Promise<void> {
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (error) {
    throw new EngineError('unavailable', `cannot listen on ${urlHost(host)}:${port}: ${messageOf(error)}`, {
      code: 'REGISTRY_LISTEN',
      cause: error,
    })
  }
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
