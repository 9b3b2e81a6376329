/** Control groups of containers, version 1 and 2 alike. */
import type { Count } from '../proc/count.ts'

export interface Cgroups {
  readonly version: 'v1' | 'v2'
  /** Directory of the memory controller (v1) or of the unified hierarchy (v2) for an absolute `cgroupsPath`. */
  directory(cgroupsPath: string): string
  /** The group of a container by the path its runtime-spec gives; it need not exist (yet). */
  at(cgroupsPath: string): Cgroup
  /** The group that a process is in; undefined when the process is gone. */
  of(pid: number): Promise<Cgroup | undefined>
  /** Removes the group from every hierarchy where it has neither processes nor groups below; one in use stays. */
  removeEmpty(cgroupsPath: string): Promise<void>
}

/** One group. A counter that the kernel does not have is undefined; a group that is gone reads as all zero. */
export interface Cgroup {
  readonly version: 'v1' | 'v2'
  readonly directory: string
  counters(): CgroupCounters
  /** Processes of the group and of all groups below. */
  processes(): Promise<number[]>
  /** Resolves when every process stands still. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** Sends SIGKILL to every process, also to those that are forked meanwhile. */
  kill(): Promise<void>
  /** Takes the limit on processes, or on the time that they may run, away. */
  unlimit(limit: 'pids' | 'cpu'): void
  /** How often the kernel killed a process of the group for want of memory. */
  oomKills(): number
}

export interface CgroupCounters {
  readonly cpu: CpuCounters
  readonly memory: MemoryCounters
  readonly pids: { readonly current: Count; readonly limit: Count | undefined }
  readonly io: IoCounters
}

/** Times in nanoseconds. */
export interface CpuCounters {
  readonly total: Count
  readonly kernel: Count
  readonly user: Count
  /** v1 only. */
  readonly perCpu: readonly Count[] | undefined
  readonly periods: Count
  readonly throttledPeriods: Count
  readonly throttledTime: Count
}

/** Bytes. */
export interface MemoryCounters {
  readonly usage: Count
  /** v1 only. */
  readonly maxUsage: Count | undefined
  /** Undefined: no limit. */
  readonly limit: Count | undefined
  /** v1: times the limit was hit; v2: out-of-memory situations. */
  readonly failures: Count
  /** memory.stat as it is. */
  readonly stat: ReadonlyMap<string, Count>
}

interface IoCounters {
  readonly serviceBytes: readonly IoEntry[]
  /** v1 only. */
  readonly serviced: readonly IoEntry[] | undefined
}

export interface IoEntry {
  readonly major: number
  readonly minor: number
  /** As the kernel spells it. */
  readonly op: string
  readonly value: Count
}
