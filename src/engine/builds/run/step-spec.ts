import type { ContainerConfig, HostConfig } from '#api/generated/types.ts'
import type { RunLimits, RunStep } from '#build/graph/operations.ts'
import type { Machine } from '#runtime/machine.ts'
import type { ProcessUser, SpecDevice, SpecInput, SpecMount } from '#runtime/spec.ts'
import { completeHostConfig } from '../../containers/config/defaults.ts'
import { checkResources } from '../../containers/config/resource-limits.ts'
import { blockDeviceNumber } from '../../containers/devices.ts'
import { specInput } from '../../containers/spec-input.ts'

/**
 * What a container would be created with that is confined as the step is. Its defaults are those of `run`, since they come from
 * the same place (GHSA-7236-3392-c5c6).
 */
export function stepHostConfig({ network, security, limits }: RunStep, machine: Machine): HostConfig {
  const given: HostConfig = {
    NetworkMode: network === 'default' ? 'bridge' : network,
    Privileged: security === 'insecure',
    ...hostLimits(limits),
  }
  const complete = completeHostConfig(given, { machine })
  return { ...complete, ...checkResources(complete, machine).resources }
}

function hostLimits(limits: RunLimits): HostConfig {
  const asked: Record<string, unknown> = {
    ShmSize: limits.shmSize,
    Ulimits: limits.ulimits?.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    CgroupParent: limits.cgroupParent,
    Memory: limits.memory,
    MemorySwap: limits.memorySwap,
    CpuShares: limits.cpuShares,
    CpuPeriod: limits.cpuPeriod,
    CpuQuota: limits.cpuQuota,
    CpusetCpus: limits.cpusetCpus,
    CpusetMems: limits.cpusetMems,
  }
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined))
}

export interface StepSpecContext {
  readonly id: string
  readonly hostConfig: HostConfig
  readonly machine: Machine
  readonly user: ProcessUser
  readonly mounts: readonly SpecMount[]
  readonly devices: readonly SpecDevice[]
  readonly cgroupsPath: string
  /** Besides that of the step: secrets, the agent's socket. */
  readonly env: readonly string[]
  readonly withoutIpv6: readonly string[]
}

/** The input of `buildSpec` for a step. */
export function stepSpec(step: RunStep, context: StepSpecContext): SpecInput {
  const { id, hostConfig, machine, env } = context
  const [path = '', ...args] = step.args
  const config: ContainerConfig = { WorkingDir: step.cwd }
  const input = specInput(
    { id, config, hostConfig, path, args },
    { ...context, machine, hostname: step.hostname, pidOf: nobody, deviceNumber: blockDeviceNumber },
  )
  return { ...input, env: environment([...step.proxyEnv, ...step.env, ...env]) }
}

/** A step joins nobody's namespaces. */
function nobody(): never {
  throw new Error('a build step has namespaces of its own')
}

/** The last one of a name counts, at the place of the first. */
function environment(entries: readonly string[]): string[] {
  const byName = new Map(entries.map((entry) => [entry.split('=', 1)[0] ?? '', entry]))
  return [...byName.values()]
}
