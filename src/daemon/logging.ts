import { join } from 'node:path'
import type { Background } from '#base/background.ts'
import { systemClock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import { LogDrivers } from '#engine/containers/log-drivers.ts'
import type { PathsOf } from '#engine/containers/paths.ts'
import { LogPlugins } from '#engine/logs/destinations/log-plugins.ts'
import { JsonFileLogs } from '#engine/logs/json-file-logs.ts'
import { LogForwarder } from '#engine/logs/log-forwarder.ts'
import { dockerPlugins } from '#engine/plugins/plugin-address.ts'
import type { DaemonConfig } from './config.ts'

/** Where the output of containers goes. */
export function loggingOf(
  {
    config,
    buildDir,
    logger,
    background,
  }: {
    readonly config: DaemonConfig
    readonly buildDir: string
    readonly logger: Logger
    readonly background: Background
  },
  paths: PathsOf,
): { readonly forwarder: LogForwarder; readonly logDrivers: LogDrivers } {
  const logs = new JsonFileLogs({ logger })
  const forwarder = new LogForwarder({ logs, logger, background, clock: systemClock })
  const logDrivers = new LogDrivers({
    forwarder,
    paths,
    plugins: new LogPlugins(dockerPlugins, join(config.execRoot, 'log-pipes')),
    sendProgram: join(buildDir, 'berth-send'),
  })
  return { forwarder, logDrivers }
}
