import type { Cgroup, CgroupCounters, CpuCounters, IoEntry } from '#os/cgroups/cgroups.ts'
import type { Count } from '#os/proc/count.ts'
import type { LinkCounters } from '#os/proc/net-dev.ts'
import type { SystemCpu } from '#os/proc/system-stat.ts'

/** Everything that is read at one instant. */
export interface Sample {
  readonly at: Date
  readonly version: Cgroup['version']
  readonly counters: CgroupCounters
  readonly system: SystemCpu
  /** Bytes. */
  readonly totalMemory: number
  /** Undefined for a container in the host's network. */
  readonly links: readonly LinkCounters[] | undefined
}

export interface StatsSubject {
  readonly id: string
  /** Without the leading slash. */
  readonly name: string
}

const ZERO_TIME = '0001-01-01T00:00:00Z'
/** What Docker shows for "no limit" on version 2. */
const UNLIMITED = 2n ** 64n - 1n

/**
 * Docker's stats document (Engine API, ContainerStats). Without `previous` the part before is empty; without a
 * sample, as for a stopped container, everything is. Counters beyond 2^53 are bigint.
 */
export function statsDocument(
  { id, name }: StatsSubject,
  sample: Sample | undefined,
  previous: Sample | undefined,
): object {
  return {
    id,
    name: `/${name}`,
    os_type: 'linux',
    read: sample === undefined ? ZERO_TIME : sample.at.toISOString(),
    preread: previous === undefined ? ZERO_TIME : previous.at.toISOString(),
    cpu_stats: cpuStats(sample),
    precpu_stats: cpuStats(previous),
    memory_stats: sample === undefined ? {} : memoryStats(sample),
    ...(sample?.links === undefined || sample.links.length === 0 ? {} : { networks: networks(sample.links) }),
    pids_stats: sample === undefined ? {} : pidsStats(sample),
    blkio_stats: blkioStats(sample),
    num_procs: 0,
    storage_stats: {},
  }
}

const NO_CPU: CpuCounters = {
  total: 0,
  kernel: 0,
  user: 0,
  perCpu: undefined,
  periods: 0,
  throttledPeriods: 0,
  throttledTime: 0,
}

function cpuStats(sample: Sample | undefined): object {
  const cpu = sample?.counters.cpu ?? NO_CPU
  return {
    cpu_usage: {
      total_usage: cpu.total,
      ...(cpu.perCpu === undefined ? {} : { percpu_usage: cpu.perCpu }),
      usage_in_kernelmode: cpu.kernel,
      usage_in_usermode: cpu.user,
    },
    ...(sample === undefined
      ? {}
      : { system_cpu_usage: sample.system.total, online_cpus: sample.system.onlineCpus }),
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledTime,
    },
  }
}

function memoryStats({ counters: { memory }, totalMemory }: Sample): object {
  const limit: Count = memory.limit === undefined || memory.limit > totalMemory ? totalMemory : memory.limit
  return {
    usage: memory.usage,
    ...(memory.maxUsage === undefined ? {} : { max_usage: memory.maxUsage }),
    stats: Object.fromEntries(memory.stat),
    ...(memory.failures === 0 ? {} : { failcnt: memory.failures }),
    limit,
  }
}

function pidsStats({ version, counters: { pids } }: Sample): object {
  const limit = pids.limit ?? (version === 'v2' ? UNLIMITED : undefined)
  return { current: pids.current, ...(limit === undefined ? {} : { limit }) }
}

function networks(links: readonly LinkCounters[]): object {
  return Object.fromEntries(
    links.map((link) => [
      link.name,
      {
        rx_bytes: link.rxBytes,
        rx_packets: link.rxPackets,
        rx_errors: link.rxErrors,
        rx_dropped: link.rxDropped,
        tx_bytes: link.txBytes,
        tx_packets: link.txPackets,
        tx_errors: link.txErrors,
        tx_dropped: link.txDropped,
      },
    ]),
  )
}

/** Version 2 counts bytes only; what a version does not count is null there and empty on version 1. */
function blkioStats(sample: Sample | undefined): object {
  const io = sample?.counters.io
  const none = sample?.version === 'v1' ? [] : null
  const entries = (list: readonly IoEntry[] | undefined): readonly IoEntry[] | null =>
    list === undefined || list.length === 0 ? none : list
  return {
    io_service_bytes_recursive: entries(io?.serviceBytes),
    io_serviced_recursive: entries(io?.serviced),
    io_queue_recursive: none,
    io_service_time_recursive: none,
    io_wait_time_recursive: none,
    io_merged_recursive: none,
    io_time_recursive: none,
    sectors_recursive: none,
  }
}
