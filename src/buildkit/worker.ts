import { hostPlatform } from '#oci/platform.ts'
import type { WorkerRecord } from './messages/control.ts'

export interface WorkerFacts {
  /** Of the engine. */
  readonly version: string
  /** What `host-gateway` stands for in hosts files of steps; undefined when there is no such address. */
  readonly hostGateway: () => Promise<string | undefined>
}

/** What this builder says of itself. */
export class Worker {
  readonly #facts: WorkerFacts

  constructor(facts: WorkerFacts) {
    this.#facts = facts
  }

  get version(): { readonly package: string; readonly version: string; readonly revision: string } {
    return { package: 'berth', version: this.#facts.version, revision: '' }
  }

  async record(): Promise<WorkerRecord> {
    const gateway = await this.#facts.hostGateway()
    const { os, architecture, variant = '' } = hostPlatform()
    const labels = {
      // With it clients know that the image store holds indexes: several platforms, attestations, archives.
      'org.mobyproject.buildkit.worker.snapshotter': 'berth',
      'org.mobyproject.buildkit.worker.executor': 'berth',
      ...(gateway === undefined ? {} : { 'org.mobyproject.buildkit.worker.moby.host-gateway-ip': gateway }),
    }
    return {
      id: 'berth',
      labels: new Map(Object.entries(labels)),
      platforms: [{ os, architecture, variant }],
      gcPolicy: [],
      buildkitVersion: this.version,
    }
  }
}
