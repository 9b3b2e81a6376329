import type { Cgroup, CgroupCounters } from './cgroups.ts'
import { killAll, processesBelow, readControl, settled, writeControl } from './files.ts'
import { parseCpuV1, parseIoV1, parseMemoryV1 } from './parse.ts'
import { parseCount, parseKeyed } from '../proc/count.ts'

/** Where a group is in each v1 hierarchy; controllers that are not mounted are missing. */
export interface DirectoriesV1 {
  readonly memory?: string | undefined
  readonly cpu?: string | undefined
  readonly cpuacct?: string | undefined
  readonly pids?: string | undefined
  readonly blkio?: string | undefined
  readonly freezer?: string | undefined
}

/** A group of the v1 hierarchies, which has one directory per controller. */
export class CgroupV1 implements Cgroup {
  readonly version = 'v1'
  readonly directory: string
  readonly #directories: DirectoriesV1

  constructor(directories: DirectoriesV1) {
    this.#directories = directories
    this.directory = directories.memory ?? directories.pids ?? directories.cpu ?? ''
  }

  counters(): CgroupCounters {
    const { memory, cpu, cpuacct, pids, blkio } = this.#directories
    return {
      cpu: parseCpuV1({
        usage: readControl(cpuacct, 'cpuacct.usage'),
        perCpu: readControl(cpuacct, 'cpuacct.usage_percpu'),
        stat: readControl(cpuacct, 'cpuacct.stat'),
        throttling: readControl(cpu, 'cpu.stat'),
      }),
      memory: parseMemoryV1({
        usage: readControl(memory, 'memory.usage_in_bytes'),
        maxUsage: readControl(memory, 'memory.max_usage_in_bytes'),
        limit: readControl(memory, 'memory.limit_in_bytes'),
        failures: readControl(memory, 'memory.failcnt'),
        stat: readControl(memory, 'memory.stat'),
      }),
      pids: {
        current: parseCount(readControl(pids, 'pids.current')) ?? 0,
        limit: parseCount(readControl(pids, 'pids.max')),
      },
      io: {
        serviceBytes: parseIoV1(readBlkio(blkio, 'io_service_bytes')),
        serviced: parseIoV1(readBlkio(blkio, 'io_serviced')),
      },
    }
  }

  async processes(): Promise<number[]> {
    return processesBelow(this.#tracking())
  }

  async freeze(): Promise<void> {
    const { freezer } = this.#directories
    if (freezer === undefined || !writeControl(freezer, 'freezer.state', 'FROZEN')) return
    await settled(`freezing ${freezer}`, () => {
      const state = readControl(freezer, 'freezer.state')?.trim()
      if (state === undefined || state === 'FROZEN') return true
      // A process that was forked meanwhile keeps the group FREEZING until it is asked again.
      writeControl(freezer, 'freezer.state', 'FROZEN')
      return false
    })
  }

  async thaw(): Promise<void> {
    const { freezer } = this.#directories
    if (freezer === undefined || !writeControl(freezer, 'freezer.state', 'THAWED')) return
    await settled(`thawing ${freezer}`, () => {
      const state = readControl(freezer, 'freezer.state')?.trim()
      return state === undefined || state === 'THAWED'
    })
  }

  async kill(): Promise<void> {
    // Frozen processes cannot fork; the signal takes effect when they are thawed.
    await this.freeze()
    killAll(processesBelow(this.#tracking()))
    await this.thaw()
    await settled(`killing the processes of ${this.#tracking()}`, () => {
      const left = processesBelow(this.#tracking())
      killAll(left)
      return left.length === 0
    })
  }

  unlimit(limit: 'pids' | 'cpu'): void {
    const directory = this.#directories[limit]
    if (directory === undefined) return
    if (limit === 'pids') writeControl(directory, 'pids.max', 'max')
    else writeControl(directory, 'cpu.cfs_quota_us', '-1')
  }

  oomKills(): number {
    return Number(
      parseKeyed(readControl(this.#directories.memory, 'memory.oom_control')).get('oom_kill') ?? 0,
    )
  }

  /** The hierarchy that is asked which processes there are. */
  #tracking(): string {
    return this.#directories.freezer ?? this.directory
  }
}

/** The I/O scheduler's own counters where it has some, else those of the throttling layer. */
function readBlkio(directory: string | undefined, name: string): string | undefined {
  const scheduler = readControl(directory, `blkio.bfq.${name}_recursive`)
  if (scheduler !== undefined && parseIoV1(scheduler).length > 0) return scheduler
  return readControl(directory, `blkio.throttle.${name}_recursive`)
}
