import { Builds } from './builds.ts'
import { Checkpoints } from './checkpoints.ts'
import { ContainerFiles } from './container-files.ts'
import { ContainerQuery } from './container-query.ts'
import { ContainerStreams } from './container-streams.ts'
import { Containers } from './containers.ts'
import { Execs } from './execs.ts'
import { Images } from './images.ts'
import { Networks } from './networks.ts'
import { Registries } from './registries.ts'
import { RemovalPlans } from './removal-plans.ts'
import { System } from './system.ts'
import { Transport, type TransportOptions } from './transport.ts'
import { Volumes } from './volumes.ts'

/**
 * An engine that speaks the Docker Engine API, noun by noun. Nothing is sent before the first call, which also agrees
 * on the API version. Every failure is an EngineError; `code` is DAEMON_ERROR when the words are the server's.
 */
export class Client implements Disposable {
  readonly transport: Transport
  readonly containers: Containers
  readonly containerQuery: ContainerQuery
  readonly containerStreams: ContainerStreams
  readonly containerFiles: ContainerFiles
  readonly checkpoints: Checkpoints
  readonly execs: Execs
  readonly images: Images
  readonly builds: Builds
  readonly networks: Networks
  readonly registries: Registries
  readonly removalPlans: RemovalPlans
  readonly system: System
  readonly volumes: Volumes

  constructor(options: TransportOptions) {
    this.transport = new Transport(options)
    this.containers = new Containers(this.transport)
    this.containerQuery = new ContainerQuery(this.transport)
    this.containerStreams = new ContainerStreams(this.transport)
    this.containerFiles = new ContainerFiles(this.transport)
    this.checkpoints = new Checkpoints(this.transport)
    this.execs = new Execs(this.transport)
    this.images = new Images(this.transport)
    this.builds = new Builds(this.transport)
    this.networks = new Networks(this.transport)
    this.registries = new Registries(this.transport)
    this.removalPlans = new RemovalPlans(this.transport)
    this.system = new System(this.transport)
    this.volumes = new Volumes(this.transport)
  }

  /** Closes idle connections. */
  [Symbol.dispose](): void {
    this.transport[Symbol.dispose]()
  }
}
