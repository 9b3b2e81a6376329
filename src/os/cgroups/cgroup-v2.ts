import type { Cgroup, CgroupCounters } from './cgroups.ts'
import { killAll, processesBelow, readControl, settled, writeControl } from './files.ts'
import { parseCpuV2, parseIoV2, parseMemoryV2 } from './parse.ts'
import { parseCount, parseKeyed } from '../proc/count.ts'

/** A group of the unified hierarchy. */
export class CgroupV2 implements Cgroup {
  readonly version = 'v2'
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  counters(): CgroupCounters {
    const read = (file: string): string | undefined => readControl(this.directory, file)
    return {
      cpu: parseCpuV2(read('cpu.stat')),
      memory: parseMemoryV2({
        current: read('memory.current'),
        max: read('memory.max'),
        events: read('memory.events'),
        stat: read('memory.stat'),
      }),
      pids: { current: parseCount(read('pids.current')) ?? 0, limit: parseCount(read('pids.max')) },
      io: { serviceBytes: parseIoV2(read('io.stat')), serviced: undefined },
    }
  }

  async processes(): Promise<number[]> {
    return processesBelow(this.directory)
  }

  async freeze(): Promise<void> {
    if (writeControl(this.directory, 'cgroup.freeze', '1')) await this.#frozen(1)
  }

  async thaw(): Promise<void> {
    if (writeControl(this.directory, 'cgroup.freeze', '0')) await this.#frozen(0)
  }

  async kill(): Promise<void> {
    // cgroup.kill is there since Linux 5.14; before that, frozen processes cannot fork.
    if (!writeControl(this.directory, 'cgroup.kill', '1')) {
      await this.freeze()
      killAll(processesBelow(this.directory))
      await this.thaw()
    }
    await settled(
      `killing the processes of ${this.directory}`,
      () => processesBelow(this.directory).length === 0,
    )
  }

  unlimit(limit: 'pids' | 'cpu'): void {
    writeControl(this.directory, `${limit}.max`, 'max')
  }

  oomKills(): number {
    return Number(parseKeyed(readControl(this.directory, 'memory.events')).get('oom_kill') ?? 0)
  }

  async #frozen(state: 0 | 1): Promise<void> {
    await settled(`${state === 1 ? 'freezing' : 'thawing'} ${this.directory}`, () => {
      const frozen = parseKeyed(readControl(this.directory, 'cgroup.events')).get('frozen')
      return frozen === undefined || frozen === state
    })
  }
}
