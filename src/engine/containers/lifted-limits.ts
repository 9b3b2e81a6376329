import type { HostConfig } from '#api/generated/types.ts'
import type { Cgroups } from '#os/cgroups/cgroups.ts'
import { cgroupsPath } from './remains.ts'

export interface LiftedLimitsDeps {
  readonly cgroups: Pick<Cgroups, 'at'>
  /** Parent of all containers that name none. */
  readonly cgroupParent: string
}

/**
 * Takes limits of running containers away. Runtimes are not asked: for "no limit" crun writes numbers that kernels do not
 * take.
 */
export class LiftedLimits {
  readonly #deps: LiftedLimitsDeps

  constructor(deps: LiftedLimitsDeps) {
    this.#deps = deps
  }

  /** Those that the configuration says there are none of, as opposed to what it does not mention. */
  lift(id: string, hostConfig: HostConfig): void {
    const { cgroups, cgroupParent } = this.#deps
    const group = cgroups.at(cgroupsPath(id, hostConfig, cgroupParent))
    const { PidsLimit: pids, CpuQuota: quota, NanoCpus: nano } = hostConfig
    if (typeof pids === 'number' && pids <= 0) group.unlimit('pids')
    if ((quota ?? 0) < 0 && !nano) group.unlimit('cpu')
  }
}
