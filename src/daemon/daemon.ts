/**
 * The composition root: the only file that sees every part. Reads from top to bottom as the daemon starts, and what it
 * acquires is released in the opposite order. Containers are not: they outlive it.
 */
import { join } from 'node:path'
import { once } from 'node:events'
import { Background } from '#base/background.ts'
import { type Logger, jsonLogger } from '#base/logger.ts'
import { KernelNetworks } from '#network/kernel-networks.ts'
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
import type { RegistryClient } from '#registry/client/repository.ts'
import { parseAddress } from './addresses.ts'
import type { DaemonConfig } from './config.ts'
import { assembleEngine } from './engine.ts'
import { type Identity, identityOf } from './identity.ts'
import { chooseRuntime, makeRoots, openStorage, startLockedHelper } from './machine-setup.ts'
import { openOwnRegistry } from './own-registry.ts'
import { pidFile } from './pid-file.ts'
import { version } from './version.ts'

/** How often drift that the kernel has not told of is looked for, in milliseconds. */
const LOOK_EVERY = 1500
/** How often what is kept for a while is looked through, in milliseconds. */
const EXPIRE_EVERY = 24 * 3_600_000

/** Two levels up from this file, one from the bundle that it became a part of (tools/bundle.ts). */
const REPOSITORY = join(import.meta.dirname, import.meta.url.endsWith('.ts') ? '../..' : '..')

/** Runs the daemon until `ended` is aborted. Rejects when it cannot start, with the reason and the object. */
export async function runDaemon(config: DaemonConfig, ended: AbortSignal): Promise<void> {
  const logger = jsonLogger((line) => process.stderr.write(line), config.logLevel)
  const buildDir = process.env['BERTH_NATIVE_BUILD'] ?? join(REPOSITORY, 'native/build')
  await using acquired = new AsyncDisposableStack()

  await makeRoots(config)
  const helper = acquired.use(await startLockedHelper(config, buildDir, logger))
  const identity = await identityOf(config.dataRoot)
  const db = acquired.use(openDatabase(join(config.dataRoot, 'berth.db'), { logger }))
  const { runtime, selected, machine } = await chooseRuntime(helper, config, logger)
  const { snapshots, trees, probe } = await openStorage(helper, config, buildDir, logger)
  acquired.use(snapshots)
  const networks = acquired.use(defaultNetworks(helper, config, identity, logger))
  await networks.ensure()
  const names = acquired.use(namesOf(helper, config, buildDir, logger))
  const background = new Background(logger)
  const cgroups = await mountedCgroups()
  const registryClient = acquired.use(registryClientOf(config, logger))
  const events = new EventJournal({ rows: new EventRows(db), logger })
  // Outlives the engine, which may be pulling from it.
  const ownRegistry = acquired.use(await openOwnRegistry(config, logger))

  const assembled = await assembleEngine({
    config,
    settings: () => config.containers,
    logger,
    buildDir,
    helper,
    identity,
    db,
    runtime,
    selected,
    machine,
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
    if (ended.aborted && assembled.running() === 0) await leaveNothing(networks, cgroups, config)
  })
  acquired.defer(() => assembled.close())
  await networks.reconcile()
  acquired.use(await watchOf(networks, config, buildDir, background, logger))
  acquired.use(periodically(LOOK_EVERY, () => networks.look(), logger))
  acquired.use(periodically(EXPIRE_EVERY, () => assembled.expire(), logger))

  const info = { version, experimental: false, builderVersion: '1' } as const
  const server = acquired.use(createServer({ engine: assembled.engine, logger, info }))
  for (const host of config.hosts) await server.listen(await parseAddress(host, config.group))
  if (config.pidfile !== '') acquired.use(await pidFile(config.pidfile))
  logger.info('ready', { version, dataRoot: config.dataRoot })

  const lost = await Promise.race([aborted(ended), helper.lost])
  logger.info('shutting down; containers keep running')
  if (lost !== undefined) throw lost
}

function registryClientOf(config: DaemonConfig, logger: Logger): RegistryClient & AsyncDisposable {
  return openRegistryClient({
    ...config.registries,
    attempts: config.registries.maxDownloadAttempts,
    environment: process.env,
    userAgent: `berth/${version}`,
    logger,
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
  return new KernelNetworks({
    helper,
    logger,
    networkId: identity.networks.bridge,
    link: config.bridge,
    table: config.firewallTable,
    address: config.bip === '' ? undefined : config.bip,
    pools: config.addressPools,
    icc: config.icc,
    directRouting: config.allowDirectRouting,
    address6: config.ipv6 ? 'fd6e:6273:7268::1/64' : undefined,
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
