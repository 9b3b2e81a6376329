import type { LinuxResources } from './oci-runtime-spec.ts'
import type { SpecResources, ThrottleDevice } from './spec.ts'

/** The kernel's default CFS period in microseconds. */
const CFS_PERIOD = 100_000

/**
 * The cgroup part of a spec, or of an update of a running container. Values keep their v1 meaning (swap includes memory,
 * shares are relative to 1024): the runtimes convert for v2. What a v2 hierarchy has no knob for is left out, and so is
 * "no limit" for processes and time: a new cgroup has none, and `LiftedLimits` takes away what one has.
 */
export function linuxResources(
  resources: SpecResources,
  cgroupVersion: 'v1' | 'v2',
  options: { readonly update?: boolean } = {},
): LinuxResources {
  const v1 = cgroupVersion === 'v1'
  const pids = positive(resources.pidsLimit)
  const memory = compact({
    limit: positive(resources.memory),
    reservation: positive(resources.memoryReservation),
    // A new cgroup has no swap limit, and without swap accounting there is no file to write one to.
    swap: resources.memorySwap === -1 && options.update !== true ? undefined : nonZero(resources.memorySwap),
    swappiness: v1 ? swappiness(resources.memorySwappiness) : undefined,
    disableOOMKiller: v1 && resources.oomKillDisable === true ? true : undefined,
  })
  const blockIO = compact({
    weight: positive(resources.blkioWeight),
    weightDevice: filled(resources.blkioWeightDevice),
    throttleReadBpsDevice: filled(resources.blkioDeviceReadBps?.map(throttle)),
    throttleWriteBpsDevice: filled(resources.blkioDeviceWriteBps?.map(throttle)),
    throttleReadIOPSDevice: filled(resources.blkioDeviceReadIOps?.map(throttle)),
    throttleWriteIOPSDevice: filled(resources.blkioDeviceWriteIOps?.map(throttle)),
  })
  return (
    compact({
      memory,
      cpu: cpu(resources, v1),
      pids: pids === undefined ? undefined : { limit: pids },
      blockIO,
    }) ?? {}
  )
}

function cpu(resources: SpecResources, v1: boolean): LinuxResources['cpu'] {
  const nano = positive(resources.nanoCpus)
  return compact({
    shares: positive(resources.cpuShares),
    period: positive(resources.cpuPeriod) ?? (nano === undefined ? undefined : CFS_PERIOD),
    quota:
      positive(resources.cpuQuota) ??
      (nano === undefined ? undefined : Math.floor((nano * CFS_PERIOD) / 1e9)),
    realtimePeriod: v1 ? positive(resources.cpuRealtimePeriod) : undefined,
    realtimeRuntime: v1 ? nonZero(resources.cpuRealtimeRuntime) : undefined,
    cpus: resources.cpusetCpus || undefined,
    mems: resources.cpusetMems || undefined,
  })
}

/** -1 was Docker's "not set" for years and is still sent. */
function swappiness(value: number | undefined): number | undefined {
  return value === undefined || value < 0 ? undefined : value
}

function throttle({ major, minor, rate }: ThrottleDevice): ThrottleDevice {
  return { major, minor, rate }
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined
}

function nonZero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value
}

function filled<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list !== undefined && list.length > 0 ? list : undefined
}

type Compact<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** `record` without the fields that are undefined; undefined when nothing is left. */
function compact<T extends object>(record: T): Compact<T> | undefined {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined)
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Compact<T>)
}
