import type { Logger } from '#base/logger.ts'
import { BuildKit } from '#buildkit/buildkit.ts'
import type { Engine } from '#engine/services.ts'
import type { Route } from '../route.ts'
import type { ServerInfo } from '../server-info.ts'
import { berthRoutes } from './berth.ts'
import { berthBuildRoutes } from './berth-builds.ts'
import { berthNetworkRoutes } from './berth-networks.ts'
import { berthPruneRoutes } from './berth-prune.ts'
import { berthVolumeRoutes } from './berth-volumes.ts'
import { buildRoutes } from './build.ts'
import { buildkitRoutes } from './buildkit.ts'
import { containerFileRoutes } from './container-files.ts'
import { containerStreamRoutes } from './container-streams.ts'
import { containerRoutes } from './containers.ts'
import { eventRoutes } from './events.ts'
import { berthExecRoutes, execRoutes } from './exec.ts'
import { imageRoutes } from './images.ts'
import { networkRoutes } from './networks.ts'
import { pluginRoutes } from './plugins.ts'
import { authRoutes, registryRoutes } from './registries.ts'
import { swarmRoutes } from './swarm.ts'
import { systemRoutes } from './system.ts'
import { volumeRoutes } from './volumes.ts'

/** The whole API, by tag. */
export function routesByTag(
  engine: Engine,
  info: ServerInfo,
  logger: Logger,
): Readonly<Record<string, readonly Route[]>> {
  return {
    System: [...systemRoutes(engine), ...authRoutes(engine), ...eventRoutes(engine.events)],
    Container: [
      ...containerRoutes(engine.lifecycle, engine.query),
      ...containerStreamRoutes(engine),
      ...containerFileRoutes(engine.files),
    ],
    Exec: execRoutes(engine.execs),
    Image: [
      ...imageRoutes(engine),
      ...registryRoutes(engine),
      ...buildRoutes(engine.builds),
      ...buildkitRoutes(new BuildKit({ engine, version: info.version, logger })),
    ],
    Network: networkRoutes(engine.networks),
    Volume: volumeRoutes(engine.volumes),
    Plugin: pluginRoutes(),
    Swarm: swarmRoutes(),
    Berth: [
      ...berthRoutes(engine),
      ...berthVolumeRoutes(engine.volumeTransfers),
      ...berthNetworkRoutes(engine.explanations),
      ...berthBuildRoutes(engine.builds),
      ...berthPruneRoutes(engine),
      ...berthExecRoutes(engine.execs),
    ],
  }
}

export function allRoutes(engine: Engine, info: ServerInfo, logger: Logger): readonly Route[] {
  return Object.values(routesByTag(engine, info, logger)).flat()
}
