import type { Background } from '#base/background.ts'
import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import type { Attachments } from '#engine/containers/attachments.ts'
import { Creation, type CreationDeps } from '#engine/containers/creation.ts'
import type { Directories } from '#engine/containers/directories.ts'
import type { ContainerEvents } from '#engine/containers/events.ts'
import { Exits } from '#engine/containers/exits.ts'
import { HealthFailure } from '#engine/containers/health-failure.ts'
import { HealthMonitor } from '#engine/containers/health-monitor.ts'
import type { PortProbes } from '#engine/containers/health-probe.ts'
import { runOf } from '#engine/containers/state.ts'
import { Lifecycle } from '#engine/containers/lifecycle.ts'
import type { LogDrivers } from '#engine/containers/log-drivers.ts'
import type { MountSourcesOf } from '#engine/containers/mount-sources.ts'
import type { PathsOf } from '#engine/containers/paths.ts'
import type { ContainerRegistry } from '#engine/containers/registry.ts'
import { Removal } from '#engine/containers/removal.ts'
import type { LiftedLimits } from '#engine/containers/lifted-limits.ts'
import type { Remains } from '#engine/containers/remains.ts'
import { Restarts } from '#engine/containers/restarts.ts'
import { StartOrder } from '#engine/containers/start-order.ts'
import { type Bundles, type Endpoints, Supervisor } from '#engine/containers/supervisor.ts'
import { Updates } from '#engine/containers/updates.ts'
import type { Waiters } from '#engine/containers/waiters.ts'
import { type ExecProcess, Execs } from '#engine/exec/execs.ts'
import type { ContainerNames } from '#engine/networks/container-names.ts'
import type { NetworkEndpoints } from '#engine/networks/endpoints.ts'
import { PortChanges } from '#engine/networks/port-changes.ts'
import type { LegacyLinks } from '#engine/networks/legacy-links.ts'
import type { Volumes } from '#engine/volumes/volumes.ts'
import type { Networks } from '#network/networks.ts'
import type { Helper } from '#os/helper.ts'
import type { Machine } from '#runtime/machine.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type { Shims } from '#runtime/shim.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'

/** What the life of containers needs from the rest; tests bring fakes. */
export interface ContainerParts {
  readonly logger: Logger
  readonly background: Background
  readonly clock: Clock
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly waiters: Waiters
  readonly attachments: Attachments
  readonly events: ContainerEvents
  readonly paths: PathsOf
  readonly directories: Directories
  readonly shims: Shims
  readonly helper: Helper
  readonly runtime: OciRuntime
  readonly remains: Pick<Remains, 'end'>
  readonly limits: Pick<LiftedLimits, 'lift'>
  readonly machine: Machine
  readonly bootId: string
  readonly networks: Networks
  readonly endpoints: Endpoints & Pick<NetworkEndpoints, 'republish'>
  readonly names: ContainerNames
  readonly links: LegacyLinks
  readonly knownNetworks: CreationDeps['knownNetworks']
  readonly bundles: Bundles
  readonly snapshots: Snapshots
  readonly images: CreationDeps['images']
  readonly mounts: CreationDeps['mounts']
  readonly mountSources: MountSourcesOf
  readonly volumes: Pick<Volumes, 'forget' | 'discard' | 'abandoned' | 'hold'>
  readonly settings: CreationDeps['settings']
  readonly logDrivers: Pick<LogDrivers, 'check' | 'started' | 'finish'>
  readonly platform: CreationDeps['platform']
  readonly dataRoot: string
  readonly runtimes: CreationDeps['runtimes']
  readonly execProcess: ExecProcess
  /** Images that were kept for a container may go. */
  readonly imagesReleased: () => Promise<void>
}

export type ContainerServices = ReturnType<typeof assembleContainers>

/** From create to remove. The parts need each other, so some are looked up late. */
export function assembleContainers(parts: ContainerParts) {
  const { background } = parts
  const restarts = new Restarts({ ...parts, order: new StartOrder(parts), supervisor: () => supervisor })
  const failure = new HealthFailure({ ...parts, lifecycle: () => lifecycle, supervisor: () => supervisor })
  const health = new HealthMonitor({
    ...parts,
    execs: () => execs,
    ports: portProbes(parts),
    onFailure: (container) => failure.act(container),
  })
  const removal = new Removal({
    ...parts,
    restarts,
    supervisor: () => supervisor,
    forget(id) {
      execs.forget(id)
      health.forget(id)
      failure.forget(id)
      restarts.reset(id)
      background.run('releasing images', () => parts.imagesReleased())
    },
  })
  const exits = new Exits({ ...parts, restarts, removal, health })
  const supervisor: Supervisor = new Supervisor(parts, exits)
  const execs: Execs = new Execs({ ...parts, supervisor, process: parts.execProcess })
  const creation = new Creation(parts)
  const updates = new Updates({ ...parts, ports: new PortChanges(parts) })
  const lifecycle: Lifecycle = new Lifecycle({ ...parts, supervisor, creation, removal, restarts, updates })
  /** Lets go of containers without touching them. */
  const close = async (): Promise<void> => {
    restarts.close()
    health.close()
    failure.close()
    parts.attachments.close()
    await supervisor.close()
  }
  return { restarts, health, removal, exits, supervisor, execs, lifecycle, close }
}

/** From within the container's network namespace: at loopback, then at its own addresses. */
function portProbes({ registry, helper }: Pick<ContainerParts, 'registry' | 'helper'>): PortProbes {
  return {
    async probe(id, { port, path }, timeout) {
      const container = registry.get(id)
      const run = container === undefined ? undefined : runOf(container.state)
      if (run === undefined) return undefined
      const own = run.endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((one) => one !== undefined))
      return helper.probe(run, { port, path, timeout, addresses: ['127.0.0.1', '::1', ...own] })
    },
  }
}
