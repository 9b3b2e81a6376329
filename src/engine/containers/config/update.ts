import { EngineError } from '#base/errors.ts'
import type { HostConfig, Resources, RestartPolicy } from '#api/generated/types.ts'
import { invalidConfig } from './errors.ts'
import { type LimitsMachine, checkResources } from './resource-limits.ts'
import { checkRestartPolicy } from './validate.ts'

export interface UpdateBody extends Resources {
  readonly RestartPolicy?: RestartPolicy | null | undefined
}

export interface Updated {
  readonly hostConfig: HostConfig
  readonly warnings: readonly string[]
}

/** What an update may change; zero and null mean "as it is", except where 0 or -1 takes a limit away. */
const numbers = [
  'CpuShares',
  'NanoCpus',
  'CpuPeriod',
  'CpuQuota',
  'CpuRealtimePeriod',
  'CpuRealtimeRuntime',
  'Memory',
  'MemorySwap',
  'MemoryReservation',
  'BlkioWeight',
] as const
const lists = [
  'BlkioWeightDevice',
  'BlkioDeviceReadBps',
  'BlkioDeviceWriteBps',
  'BlkioDeviceReadIOps',
  'BlkioDeviceWriteIOps',
] as const
const texts = ['CpusetCpus', 'CpusetMems'] as const

/** Applies an update to a container's host configuration. Fails with Docker's texts; nothing of the machine is changed. */
export function updateHostConfig(current: HostConfig, body: UpdateBody, machine: LimitsMachine): Updated {
  const { resources, warnings } = checkResources(body, machine, { update: true })
  checkAgainstCurrent(current, resources)
  const changed: HostConfig = {
    ...current,
    ...Object.fromEntries(
      [...numbers, ...lists, ...texts]
        .map((key) => [key, resources[key]] as const)
        .filter(([, value]) => (Array.isArray(value) ? value.length > 0 : Boolean(value))),
    ),
    ...pidsLimit(resources),
  }
  return { hostConfig: { ...changed, ...restartPolicy(current, body) }, warnings }
}

function checkAgainstCurrent(current: HostConfig, asked: Resources): void {
  const quotaSet = Boolean(current.CpuPeriod) || Boolean(current.CpuQuota)
  if (asked.NanoCpus && quotaSet) {
    const which = current.CpuPeriod ? 'Period' : 'Quota'
    throw conflicting(`Conflicting options: Nano CPUs cannot be updated as CPU ${which} has already been set`)
  }
  if (current.NanoCpus && (asked.CpuPeriod || asked.CpuQuota)) {
    const which = asked.CpuPeriod ? 'Period' : 'Quota'
    throw conflicting(`Conflicting options: CPU ${which} cannot be updated as NanoCPUs has already been set`)
  }
  const memory = asked.Memory ?? 0
  const swap = current.MemorySwap ?? 0
  if (memory > 0 && swap > 0 && memory > swap && !asked.MemorySwap) {
    throw conflicting(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    )
  }
  const limit = memory || (current.Memory ?? 0)
  const asksSwap = asked.MemorySwap ?? 0
  if (asksSwap > 0 && asksSwap < limit) {
    throw invalidConfig('Minimum memoryswap limit should be larger than memory limit, see usage')
  }
}

/** Nothing above zero: there is no limit any more, which Docker shows as 0. */
function pidsLimit({ PidsLimit: limit }: Resources): HostConfig {
  return typeof limit === 'number' ? { PidsLimit: Math.max(limit, 0) } : {}
}

function restartPolicy(current: HostConfig, { RestartPolicy: policy }: UpdateBody): HostConfig {
  if (!policy?.Name) return {}
  checkRestartPolicy(policy)
  if (current.AutoRemove === true && policy.Name !== 'no') {
    throw conflicting('Restart policy cannot be updated because AutoRemove is enabled for the container')
  }
  return { RestartPolicy: { Name: policy.Name, MaximumRetryCount: policy.MaximumRetryCount ?? 0 } }
}

/** With what was said before. */
function conflicting(message: string): EngineError {
  return new EngineError('conflict', message, { code: 'CONTAINER_CONFIG_CONFLICT' })
}
