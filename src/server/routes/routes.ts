import type { Engine } from '#engine/services.ts'
import type { Route } from '../route.ts'
import type { ServerInfo } from '../server-info.ts'
import { berthRoutes } from './berth.ts'
import { berthBuildRoutes } from './berth-builds.ts'
import { berthNetworkRoutes } from './berth-networks.ts'
import { berthPruneRoutes } from './berth-prune.ts'
import { berthVolumeRoutes } from './berth-volumes.ts'
import { buildRoutes } from './build.ts'
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
export function routesByTag(engine: Engine, info: ServerInfo): Readonly<Record<string, readonly Route[]>> {
  return {
    System: [...systemRoutes(engine, info), ...authRoutes(engine), ...eventRoutes(engine.events)],
    Container: [
      ...containerRoutes(engine.lifecycle, engine.query),
      ...containerStreamRoutes(engine),
      ...containerFileRoutes(engine.files),
    ],
    Exec: execRoutes(engine.execs),
    Image: [...imageRoutes(engine), ...registryRoutes(engine), ...buildRoutes(engine.builds)],
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

export function allRoutes(engine: Engine, info: ServerInfo): readonly Route[] {
  return Object.values(routesByTag(engine, info)).flat()
}
