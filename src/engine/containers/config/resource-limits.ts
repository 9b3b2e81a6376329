import type { Resources } from '#api/generated/types.ts'
import { type CgroupFeatures, parseCpuList } from '#runtime/machine.ts'
import { invalidConfig } from './errors.ts'

const MIN_MEMORY = 6 * 1024 * 1024

/** What limits are compared with. */
export interface LimitsMachine {
  readonly cpus: number
  readonly cgroups: CgroupFeatures
}

export interface CheckedResources {
  /** As given, without what the machine cannot do. */
  readonly resources: Resources
  readonly warnings: readonly string[]
}

/**
 * Checks limits against each other and against the machine. What is wrong is refused with Docker's words; what only this
 * machine cannot do is taken out with Docker's warning.
 */
export function checkResources(
  given: Resources,
  machine: LimitsMachine,
  options: { readonly update?: boolean } = {},
): CheckedResources {
  const { resources, warnings } = withoutUnsupported(withoutOldDefaults(given), machine.cgroups)
  checkMemory(resources, options.update === true)
  checkCpu(resources, machine.cpus)
  checkShares(resources)
  checkCpuset(resources, machine.cgroups)
  checkBlockIo(resources)
  if (resources.OomKillDisable === true && !resources.Memory) {
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    )
  }
  return { resources, warnings }
}

/** Swappiness -1 was "not set" for years and is still sent. */
function withoutOldDefaults(given: Resources): Resources {
  return given.MemorySwappiness === -1 ? { ...given, MemorySwappiness: null } : given
}

interface Support {
  readonly lacking: (cgroups: CgroupFeatures) => boolean
  readonly used: (resources: Resources) => boolean
  readonly without: Partial<Resources>
  readonly warning: string
}

const NOT_MOUNTED = 'or the cgroup is not mounted.'

/** In Docker's order, which clients show. */
const supports: readonly Support[] = [
  {
    lacking: (cgroups) => !cgroups.memoryLimit,
    used: ({ Memory }) => positive(Memory),
    without: { Memory: 0, MemorySwap: -1 },
    warning: `Your kernel does not support memory limit capabilities ${NOT_MOUNTED} Limitation discarded.`,
  },
  {
    lacking: (cgroups) => !cgroups.swapLimit,
    used: ({ Memory, MemorySwap }) => positive(Memory) && MemorySwap !== -1,
    without: { MemorySwap: -1 },
    warning: `Your kernel does not support swap limit capabilities ${NOT_MOUNTED} Memory limited without swap.`,
  },
  {
    lacking: (cgroups) => !cgroups.memorySwappiness,
    used: ({ MemorySwappiness }) => typeof MemorySwappiness === 'number',
    without: { MemorySwappiness: null },
    warning: `Your kernel does not support memory swappiness capabilities ${NOT_MOUNTED} Memory swappiness discarded.`,
  },
  {
    lacking: (cgroups) => !cgroups.memoryReservation,
    used: ({ MemoryReservation }) => positive(MemoryReservation),
    without: { MemoryReservation: 0 },
    warning: `Your kernel does not support memory soft limit capabilities ${NOT_MOUNTED} Limitation discarded.`,
  },
  {
    lacking: (cgroups) => !cgroups.oomKillDisable,
    used: ({ OomKillDisable }) => OomKillDisable === true,
    without: { OomKillDisable: null },
    warning: 'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
  },
  {
    lacking: (cgroups) => !cgroups.pidsLimit,
    used: ({ PidsLimit }) => positive(PidsLimit),
    without: { PidsLimit: null },
    warning: `Your kernel does not support PIDs limit capabilities ${NOT_MOUNTED} PIDs limit discarded.`,
  },
  {
    lacking: (cgroups) => !cgroups.cpuShares,
    used: ({ CpuShares }) => positive(CpuShares),
    without: { CpuShares: 0 },
    warning: `Your kernel does not support CPU shares ${NOT_MOUNTED} Shares discarded.`,
  },
  {
    lacking: (cgroups) => !cgroups.cpuCfs,
    used: ({ CpuPeriod, CpuQuota }) => Boolean(CpuPeriod) || Boolean(CpuQuota),
    without: { CpuPeriod: 0, CpuQuota: 0 },
    warning: 'Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.',
  },
  {
    lacking: () => true,
    used: ({ CpuPercent }) => positive(CpuPercent),
    without: { CpuPercent: 0 },
    warning: 'linux does not support CPU percent. Percent discarded.',
  },
  {
    lacking: (cgroups) => !cgroups.cpuset,
    used: ({ CpusetCpus, CpusetMems }) => Boolean(CpusetCpus) || Boolean(CpusetMems),
    without: { CpusetCpus: '', CpusetMems: '' },
    warning: `Your kernel does not support cpuset ${NOT_MOUNTED} Cpuset discarded.`,
  },
  {
    lacking: (cgroups) => !cgroups.blkioWeight,
    used: ({ BlkioWeight }) => positive(BlkioWeight),
    without: { BlkioWeight: 0 },
    warning: `Your kernel does not support Block I/O weight ${NOT_MOUNTED} Weight discarded.`,
  },
  {
    lacking: (cgroups) => !cgroups.blkioWeight,
    used: ({ BlkioWeightDevice }) => filled(BlkioWeightDevice),
    without: { BlkioWeightDevice: [] },
    warning: `Your kernel does not support Block I/O weight_device ${NOT_MOUNTED} Weight-device discarded.`,
  },
  throttle('BlkioDeviceReadBps', 'BPS Block I/O read limit', 'Block I/O BPS read limit'),
  throttle('BlkioDeviceWriteBps', 'BPS Block I/O write limit', 'Block I/O BPS write limit'),
  throttle('BlkioDeviceReadIOps', 'IOPS Block read limit', 'Block I/O IOPS read limit'),
  throttle('BlkioDeviceWriteIOps', 'IOPS Block write limit', 'Block I/O IOPS write limit'),
]

type ThrottleField =
  | 'BlkioDeviceReadBps'
  | 'BlkioDeviceWriteBps'
  | 'BlkioDeviceReadIOps'
  | 'BlkioDeviceWriteIOps'

function throttle(field: ThrottleField, what: string, discarded: string): Support {
  return {
    lacking: (cgroups) => !cgroups.blkioThrottle,
    used: (resources) => filled(resources[field]),
    without: { [field]: [] },
    warning: `Your kernel does not support ${what} ${NOT_MOUNTED} ${discarded} discarded.`,
  }
}

function withoutUnsupported(
  given: Resources,
  cgroups: CgroupFeatures,
): { resources: Resources; warnings: string[] } {
  let resources = given
  const warnings: string[] = []
  for (const { lacking, used, without, warning } of supports) {
    if (!used(resources) || !lacking(cgroups)) continue
    resources = { ...resources, ...without }
    warnings.push(warning)
  }
  if (positive(resources.NanoCpus) && !cgroups.cpuCfs) {
    throw invalidConfig(
      'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted',
    )
  }
  return { resources, warnings }
}

function checkMemory(resources: Resources, update: boolean): void {
  const memory = resources.Memory ?? 0
  const swap = resources.MemorySwap ?? 0
  const reservation = resources.MemoryReservation ?? 0
  const swappiness = resources.MemorySwappiness
  if (memory !== 0 && memory < MIN_MEMORY) throw invalidConfig('Minimum memory limit allowed is 6MB')
  if (memory > 0 && swap > 0 && swap < memory) {
    throw invalidConfig('Minimum memoryswap limit should be larger than memory limit, see usage')
  }
  if (memory === 0 && swap > 0 && !update) {
    throw invalidConfig('You should always set the Memory limit when using Memoryswap limit, see usage')
  }
  if (typeof swappiness === 'number' && (swappiness < 0 || swappiness > 100)) {
    throw invalidConfig(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`)
  }
  if (reservation > 0 && reservation < MIN_MEMORY) {
    throw invalidConfig('Minimum memory reservation allowed is 6MB')
  }
  if (memory > 0 && reservation > memory) {
    throw invalidConfig('Minimum memory limit can not be less than memory reservation limit, see usage')
  }
}

function checkCpu(resources: Resources, cpus: number): void {
  const nano = resources.NanoCpus ?? 0
  const period = resources.CpuPeriod ?? 0
  const quota = resources.CpuQuota ?? 0
  if (nano > 0 && period > 0) {
    throw invalidConfig('Conflicting options: Nano CPUs and CPU Period cannot both be set')
  }
  if (nano > 0 && quota > 0) {
    throw invalidConfig('Conflicting options: Nano CPUs and CPU Quota cannot both be set')
  }
  if (nano < 0 || nano > cpus * 1e9) {
    throw invalidConfig(`range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`)
  }
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw invalidConfig(
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    )
  }
  if (quota > 0 && quota < 1000) throw invalidConfig('CPU cfs quota can not be less than 1ms (i.e. 1000)')
}

function checkShares(resources: Resources): void {
  const shares = resources.CpuShares ?? 0
  if (shares < 0) throw invalidConfig(`invalid CPU shares (${shares}): value must be a positive integer`)
  const realtime = resources.CpuRealtimePeriod ?? 0
  if (realtime !== 0 && (resources.CpuRealtimeRuntime ?? 0) > realtime) {
    throw invalidConfig('cpu real-time runtime cannot be higher than cpu real-time period')
  }
}

function checkCpuset(resources: Resources, cgroups: CgroupFeatures): void {
  const { CpusetCpus: cpus, CpusetMems: mems } = resources
  checkAvailable(cpus ?? '', cgroups.cpusetCpus, 'cpus', 'CPUs')
  checkAvailable(mems ?? '', cgroups.cpusetMems, 'mems', 'memory nodes')
}

function checkAvailable(asked: string, available: string, kind: string, what: string): void {
  if (asked === '') return
  const wanted = parseCpuList(asked)
  if (wanted === undefined)
    throw invalidConfig(`Invalid value ${asked} for cpuset ${kind}: invalid format: ${asked}`)
  const there = parseCpuList(available)
  // A kernel that does not say what it has will tell at the start.
  if (there === undefined || wanted.isSubsetOf(there)) return
  throw invalidConfig(`Requested ${what} are not available - requested ${asked}, available: ${available}`)
}

function checkBlockIo(resources: Resources): void {
  const weight = resources.BlkioWeight ?? 0
  if (weight !== 0 && (weight < 10 || weight > 1000)) {
    throw invalidConfig('Range of blkio weight is from 10 to 1000')
  }
  if (resources.IOMaximumBandwidth) {
    throw invalidConfig('invalid option: QoS maximum bandwidth configuration is not supported on linux')
  }
  if (resources.IOMaximumIOps) {
    throw invalidConfig('invalid option: QoS maximum IOPs configuration is not supported on linux')
  }
}

function positive(value: number | null | undefined): boolean {
  return typeof value === 'number' && value > 0
}

function filled(list: readonly unknown[] | null | undefined): boolean {
  return (list?.length ?? 0) > 0
}
