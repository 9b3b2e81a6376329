import type { Resources, RestartPolicy } from '#api/generated/types.ts'
import { commandError } from '../errors.ts'
import { cut } from '../flags.ts'
import { isCdiDevice, parseDevice, parseGpus, parseThrottle, parseUlimit, parseWeight } from './devices.ts'
import type { CreateFlags, updateFlags } from './flags.ts'
import type { Values } from '../flags.ts'

/** Limits that both create and update know. Zero means "not set" in the API, so what is not given is left out. */
export function updatableResources(flags: Values<typeof updateFlags> | CreateFlags): Resources {
  return compact({
    BlkioWeight: flags['blkio-weight'],
    CpuPeriod: flags['cpu-period'],
    CpuQuota: flags['cpu-quota'],
    CpuRealtimePeriod: flags['cpu-rt-period'],
    CpuRealtimeRuntime: flags['cpu-rt-runtime'],
    CpuShares: flags['cpu-shares'],
    CpusetCpus: flags['cpuset-cpus'],
    CpusetMems: flags['cpuset-mems'],
    Memory: flags.memory,
    MemoryReservation: flags['memory-reservation'],
    MemorySwap: flags['memory-swap'],
    NanoCpus: flags.cpus,
    PidsLimit: flags['pids-limit'],
  })
}

/** Every limit and device of a new container. */
export function createResources(flags: CreateFlags): Resources {
  const swappiness = flags['memory-swappiness']
  if (swappiness !== undefined && (swappiness < -1 || swappiness > 100)) {
    throw commandError(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`)
  }
  const cdi = flags.device.filter(isCdiDevice)
  const requests = [
    ...flags.gpus.map(parseGpus),
    ...(cdi.length === 0 ? [] : [{ Driver: 'cdi', DeviceIDs: cdi }]),
  ]
  return {
    ...updatableResources(flags),
    ...compact({
      BlkioWeightDevice: flags['blkio-weight-device'].map(parseWeight),
      BlkioDeviceReadBps: flags['device-read-bps'].map((text) => parseThrottle(text, 'bytes')),
      BlkioDeviceReadIOps: flags['device-read-iops'].map((text) => parseThrottle(text, 'operations')),
      BlkioDeviceWriteBps: flags['device-write-bps'].map((text) => parseThrottle(text, 'bytes')),
      BlkioDeviceWriteIOps: flags['device-write-iops'].map((text) => parseThrottle(text, 'operations')),
      CgroupParent: flags['cgroup-parent'],
      CpuCount: flags['cpu-count'],
      CpuPercent: flags['cpu-percent'],
      DeviceCgroupRules: [...flags['device-cgroup-rule']],
      DeviceRequests: requests,
      Devices: flags.device.filter((text) => !isCdiDevice(text)).map(parseDevice),
      IOMaximumBandwidth: flags['io-maxbandwidth'],
      IOMaximumIOps: flags['io-maxiops'],
      MemorySwappiness: swappiness === -1 ? undefined : swappiness,
      OomKillDisable: flags['oom-kill-disable'],
      Ulimits: ulimits(flags.ulimit),
    }),
  }
}

/** `no`, `always`, `unless-stopped`, `on-failure[:count]`. Unknown names are left to the daemon. */
export function parseRestart(text: string): RestartPolicy {
  const [name, count] = cut(text, ':')
  if (name === '' && count !== undefined) {
    throw commandError('invalid restart policy format: no policy provided before colon')
  }
  if (count !== undefined && !/^-?\d+$/.test(count)) {
    throw commandError('invalid restart policy format: maximum retry count must be an integer')
  }
  return {
    Name: name as NonNullable<RestartPolicy['Name']>,
    ...(count === undefined ? {} : { MaximumRetryCount: Number(count) }),
  }
}

/** `fields` without what says nothing: undefined, empty texts, empty lists and maps, and false. */
export function compact<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const kept = Object.entries(fields).filter(([, value]: [string, unknown]) => {
    if (value === undefined || value === null || value === '' || value === false) return false
    if (Array.isArray(value)) return value.length > 0
    return typeof value !== 'object' || Object.keys(value).length > 0
  })
  return Object.fromEntries(kept) as { [K in keyof T]?: NonNullable<T[K]> }
}

/** The last one of a name wins. */
function ulimits(texts: readonly string[]): NonNullable<Resources['Ulimits']> {
  const parsed = texts.map(parseUlimit)
  return [...new Map(parsed.map((limit) => [limit.Name, limit])).values()].sort((a, b) =>
    (a.Name ?? '') < (b.Name ?? '') ? -1 : 1,
  )
}
