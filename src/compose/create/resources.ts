import { readFileSync } from 'node:fs'
import type { HostConfig } from '#api/generated/types.ts'
import { messageOf } from '#base/errors.ts'
import { projectError } from '../document/errors.ts'
import { present } from './present.ts'
import type { DeviceRate, DeviceRequest, Service } from '../model/project.ts'

/** Limits, devices and security: what of a service is passed on as it is, under the API's names. */
export function limitsOf(service: Service): HostConfig {
  const { deploy, blkio_config: blkio } = service
  const limits = deploy?.resources.limits
  const reservations = deploy?.resources.reservations
  return present<HostConfig>({
    Memory: bytesOf(service.mem_limit ?? limits?.memory),
    MemoryReservation: bytesOf(service.mem_reservation ?? reservations?.memory),
    MemorySwap: bytesOf(service.memswap_limit),
    MemorySwappiness: bytesOf(service.mem_swappiness),
    NanoCpus: nanoCpus(service.cpus ?? limits?.cpus),
    CpuShares: service.cpu_shares,
    CpuPeriod: service.cpu_period,
    CpuQuota: service.cpu_quota,
    CpuRealtimePeriod: service.cpu_rt_period,
    CpuRealtimeRuntime: service.cpu_rt_runtime,
    CpuCount: service.cpu_count,
    CpuPercent: service.cpu_percent,
    CpusetCpus: service.cpuset,
    PidsLimit: service.pids_limit ?? limits?.pids,
    OomKillDisable: service.oom_kill_disable,
    OomScoreAdj: service.oom_score_adj,
    BlkioWeight: blkio?.weight,
    BlkioWeightDevice: blkio?.weight_device?.map(({ path, weight }) => ({ Path: path, Weight: weight })),
    BlkioDeviceReadBps: rates(blkio?.device_read_bps),
    BlkioDeviceReadIOps: rates(blkio?.device_read_iops),
    BlkioDeviceWriteBps: rates(blkio?.device_write_bps),
    BlkioDeviceWriteIOps: rates(blkio?.device_write_iops),
    CgroupParent: service.cgroup_parent,
    ShmSize: bytesOf(service.shm_size),
    Ulimits: ulimitsOf(service),
    DeviceCgroupRules: service.device_cgroup_rules,
    ...devicesOf(service),
  })
}

function ulimitsOf({ ulimits }: Pick<Service, 'ulimits'>): HostConfig['Ulimits'] {
  if (ulimits === undefined) return undefined
  return Object.entries(ulimits).map(([name, limit]) =>
    typeof limit === 'number'
      ? { Name: name, Soft: limit, Hard: limit }
      : { Name: name, Soft: limit.soft, Hard: limit.hard },
  )
}

/** CDI devices (`vendor/class=name`) are asked for by name; others are passed through. */
function devicesOf(service: Service): Pick<HostConfig, 'Devices' | 'DeviceRequests'> {
  const devices = service.devices ?? []
  const cdi = devices.filter(({ source }) => isCdi(source))
  const plain = devices.filter(({ source }) => !isCdi(source))
  const requests = [
    ...(service.gpus ?? []).map((request) => deviceRequest(request, ['gpu'])),
    ...(service.deploy?.resources.reservations?.devices ?? []).map((request) => deviceRequest(request, [])),
    ...(cdi.length === 0 ? [] : [{ Driver: 'cdi', DeviceIDs: cdi.map(({ source }) => source) }]),
  ]
  return {
    ...(plain.length === 0
      ? {}
      : {
          Devices: plain.map(({ source, target = source, permissions = 'rwm' }) => ({
            PathOnHost: source,
            PathInContainer: target,
            CgroupPermissions: permissions,
          })),
        }),
    ...(requests.length === 0 ? {} : { DeviceRequests: requests }),
  }
}

function isCdi(source: string): boolean {
  return /^[a-zA-Z][^/]*\/[^=]+=.+$/.test(source)
}

function deviceRequest(
  request: DeviceRequest,
  implied: readonly string[],
): NonNullable<HostConfig['DeviceRequests']>[number] {
  const { capabilities = [], driver, count, device_ids, options } = request
  return present({
    Driver: driver,
    Count: count ?? (device_ids === undefined ? -1 : undefined),
    DeviceIDs: device_ids === undefined ? undefined : [...device_ids],
    Capabilities: [[...new Set([...implied, ...capabilities])]],
    Options: options,
  })
}

function rates(devices: readonly DeviceRate[] | undefined): { Path: string; Rate: number }[] | undefined {
  return devices?.map(({ path, rate = '0' }) => ({ Path: path, Rate: Number(rate) }))
}

function nanoCpus(cpus: number | undefined): number | undefined {
  return cpus === undefined ? undefined : Math.round(cpus * 1e9)
}

function bytesOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}

/** `seccomp:FILE` with what is in the file. */
export function securityOptions({ security_opt }: Service): string[] | undefined {
  return security_opt?.map((option) => {
    const [, file] = /^seccomp[:=](.+)$/.exec(option) ?? []
    if (file === undefined || file === 'unconfined' || file === 'builtin')
      return option.replace(/^seccomp:/, 'seccomp=')
    try {
      return `seccomp=${JSON.stringify(JSON.parse(readFileSync(file, 'utf8')))}`
    } catch (error) {
      throw projectError(`security_opt: cannot use the seccomp profile ${file}: ${messageOf(error)}`, {
        cause: error,
      })
    }
  })
}
