import type { Cgroups } from '#os/cgroups/cgroups.ts'
import { linksOf } from '#os/proc/net-dev.ts'
import { systemCpu, totalMemory } from '#os/proc/system-stat.ts'
import type { Sample } from './stats-document.ts'

/** Reads what a container uses by the pid of its first process; undefined when that is gone. */
export type ReadSample = (pid: number) => Promise<Sample | undefined>

/** Samples from the kernel: the group and the network namespace that the process is in. */
export function kernelSamples(cgroups: Cgroups): ReadSample {
  const memory = totalMemory()
  return async (pid) => {
    const group = await cgroups.of(pid)
    if (group === undefined) return undefined
    return {
      at: new Date(),
      version: cgroups.version,
      counters: group.counters(),
      system: systemCpu(),
      totalMemory: memory,
      links: linksOf(pid),
    }
  }
}
