/**
 * The composition root: the only file that sees every part. Reads from top to bottom as the daemon starts, and what it
 * acquires is released in the opposite order. Containers are not: they outlive it.
 */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { Background } from '#base/background.ts'
import { type Logger, jsonLogger } from '#base/logger.ts'
import { KernelNetworks } from '#network/kernel-networks.ts'
import type { RequestJournal } from '#engine/requests/request-journal.ts'
import type { Recorder } from '#server/recording.ts'
import { createServer } from '#server/server.ts'
import { EventJournal } from '#engine/events/event-journal.ts'
import { NativeNames } from '#network/names/native-names.ts'
import type { Networks } from '#network/networks.ts'
import type { Helper } from '#os/helper.ts'
import { watchKernel } from '#os/kernel-watch.ts'
import { startNftSession } from '#os/nft-session.ts'
import { readBootId } from '#os/proc/boot-id.ts'
import type { Cgroups } from '#os/cgroups/cgroups.ts'
import { mountedCgroups } from '#os/cgroups/mounted-cgroups.ts'
import { EventRows } from '#store/events.ts'
import { openDatabase } from '#store/db.ts'
import { openRegistryClient } from '#registry/client/client.ts'
import type { DaemonConfig } from './config.ts'
import { callers } from './callers.ts'
import { type AssembledEngine, assembleEngine } from './engine.ts'
import { type Identity, identityOf } from './identity.ts'
import { chooseRuntime, makeRoots, openStorage, startLockedHelper } from './machine-setup.ts'
import { openListeners, renewCertificates } from './listeners.ts'
import { openOwnRegistry } from './own-registry.ts'
import { pidFile } from './pid-file.ts'
import { LiveRegistryClient } from './live-registry-client.ts'
import { proxyEnvironment } from './registry-settings.ts'
import type { LiveConfig } from './reloading.ts'
import { notify } from './service-manager.ts'
import { version } from './version.ts'

/** Of the default network with IPv6, unless it is said. */
const OWN_ADDRESS6 = 'fd6e:6273:7268::1/64'
/** How often drift that the kernel has not told of is looked for, in milliseconds. */
const LOOK_EVERY = 1500
/** How often what is kept for a while is looked through, in milliseconds. */
const EXPIRE_EVERY = 24 * 3_600_000

/** Two levels up from this file, one from the bundle that it became a part of (tools/bundle.ts). */
const REPOSITORY = join(import.meta.dirname, import.meta.url.endsWith('.ts') ? '../..' : '..')

/** What the world wants of a running daemon. */
export interface DaemonSignals {
  readonly ended: AbortSignal
  /** Calls back whenever the configuration is to be read again. */
  readonly onReload: (listener: () => void) => Disposable
}

/** Runs the daemon until it is to end. Rejects when it cannot start, with the reason and the object. */
export async function runDaemon(live: LiveConfig, signals: DaemonSignals): Promise<void> {
  const config = live.current
  const logger = jsonLogger(
    (line) => process.stderr.write(line),
    () => live.current.logLevel,
  )
  const buildDir = process.env['BERTH_NATIVE_BUILD'] ?? join(REPOSITORY, 'native/build')
  await using acquired = new AsyncDisposableStack()

  await makeRoots(config)
  const helper = acquired.use(await startLockedHelper(config, buildDir, logger))
  const identity = await identityOf(config.dataRoot)
  const db = acquired.use(openDatabase(join(config.dataRoot, 'berth.db'), { logger }))
  const chosen = await chooseRuntime(helper, live, logger)
  const { snapshots, trees, probe } = await openStorage(helper, config, buildDir, logger)
  acquired.use(snapshots)
  const networks = acquired.use(defaultNetworks(helper, config, identity, logger))
  await networks.ensure()
  const names = acquired.use(namesOf(helper, config, buildDir, logger))
  const background = new Background(logger)
  const cgroups = await mountedCgroups()
  const registryClient = acquired.use(registryClientOf(live, logger))
  const events = new EventJournal({ rows: new EventRows(db), logger })
  // Outlives the engine, which may be pulling from it.
  const ownRegistry = acquired.use(await openOwnRegistry(config, logger))

  const assembled = await assembleEngine({
    config,
    live,
    logger,
    buildDir,
    helper,
    identity,
    db,
    ...chosen,
    snapshots,
    trees,
    probe,
    networks,
    names,
    background,
    events,
    registryClient,
    ownRegistry,
    cgroups,
    bootId: readBootId(),
  })
  acquired.defer(async () => {
    if (signals.ended.aborted && assembled.running() === 0) await leaveNothing(networks, cgroups, config)
  })
  acquired.defer(() => assembled.close())
  await networks.reconcile()
  acquired.use(await watchOf(networks, config, buildDir, background, logger))
  acquired.use(periodically(LOOK_EVERY, () => networks.look(), logger))
  acquired.use(periodically(EXPIRE_EVERY, () => assembled.expire(), logger))

  const parts = { live, signals, logger, buildDir, helper, events, identity, registryClient }
  const lost = await served(assembled, parts)
  if (lost !== undefined) throw lost
}

/** Serves the API until the daemon is to end, or the helper has: then with the reason. */
async function served(
  { engine, requests }: AssembledEngine,
  {
    live,
    signals,
    logger,
    buildDir,
    helper,
    events,
    identity,
    registryClient,
  }: {
    readonly live: LiveConfig
    readonly signals: DaemonSignals
    readonly logger: Logger
    readonly buildDir: string
    readonly helper: Awaited<ReturnType<typeof startLockedHelper>>
    readonly events: EventJournal
    readonly identity: Identity
    readonly registryClient: LiveRegistryClient
  },
): Promise<Error | undefined> {
  const { door, pidfile, dataRoot } = live.current
  const info = { version, experimental: false }
  await using acquired = new AsyncDisposableStack()
  const server = acquired.use(createServer({ engine, logger, info, recorder: recorderOf(requests, helper) }))
  await openListeners(server, door)
  if (pidfile !== '') acquired.use(await pidFile(pidfile))
  const reload = (): void => {
    renewCertificates(server, door, logger)
    const changed = live.reload(logger)
    if (changed?.includes('registries') === true) registryClient.renew()
    if (changed !== undefined) events.publish('daemon', 'reload', identity.engine, { name: hostname() })
  }
  acquired.use(signals.onReload(reload))
  logger.info('ready', { version, dataRoot })
  const manager = { program: join(buildDir, 'berth-send'), environment: process.env, logger }
  await notify('READY=1', manager)
  const lost = await Promise.race([aborted(signals.ended), helper.lost])
  logger.info('shutting down; containers keep running')
  await notify('STOPPING=1', manager)
  return lost
}

function recorderOf(requests: RequestJournal, helper: Helper): Recorder {
  return { arrived: (request) => requests.arrived(request), callerOf: callers(helper) }
}

function registryClientOf(live: LiveConfig, logger: Logger): LiveRegistryClient {
  return new LiveRegistryClient(() => {
    const { registries } = live.current
    return openRegistryClient({
      ...registries,
      attempts: registries.maxDownloadAttempts,
      environment: proxyEnvironment(registries),
      userAgent: `berth/${version}`,
      logger,
    })
  })
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await once(signal, 'abort')
}

function defaultNetworks(
  helper: Helper,
  config: DaemonConfig,
  identity: Identity,
  logger: Logger,
): KernelNetworks {
  const { networks: settings } = config
  return new KernelNetworks({
    helper,
    logger,
    networkId: identity.networks.bridge,
    link: config.bridge === 'none' ? '' : config.bridge,
    mtu: settings.mtu,
    table: config.firewallTable,
    address: settings.address,
    range: settings.range,
    pools: config.addressPools,
    icc: config.icc,
    directRouting: config.allowDirectRouting,
    address6: config.ipv6 ? (settings.address6 ?? OWN_ADDRESS6) : undefined,
    respect: config.firewall === 'respect',
    publishDefault: config.publishDefault === '' ? undefined : config.publishDefault,
    guard: startNftSession,
  })
}

function namesOf(helper: Helper, config: DaemonConfig, buildDir: string, logger: Logger): NativeNames {
  const directory = join(config.execRoot, 'names')
  return new NativeNames({ helper, directory, program: join(buildDir, 'berth-dns'), logger })
}

/** What somebody does to the firewall or to bridges is put right when the kernel tells of it. */
function watchOf(
  networks: KernelNetworks,
  config: DaemonConfig,
  buildDir: string,
  background: Background,
  logger: Logger,
): Promise<AsyncDisposable> {
  return watchKernel({
    program: join(buildDir, 'berth-watch'),
    table: config.firewallTable,
    logger,
    onChange: (change) => background.run('mending the network', () => networks.noticed(change)),
  })
}

/** With no container running, nobody needs what is in the kernel; it is made again at the next start. */
async function leaveNothing(networks: Networks, cgroups: Cgroups, config: DaemonConfig): Promise<void> {
  await networks.destroy()
  await cgroups.removeEmpty(config.cgroupParent)
}

/** Runs `work` again and again, one at a time, and not again before it has ended; disposing it waits for that. */
function periodically(every: number, work: () => Promise<unknown>, logger: Logger): AsyncDisposable {
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= work()
      .then(
        () => undefined,
        (error: unknown) => logger.error('periodic check failed', { error }),
      )
      .finally(() => (running = undefined))
  }, every)
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await running
    },
  }
}
