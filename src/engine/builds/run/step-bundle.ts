import { join } from 'node:path'
import type { HostConfig } from '#api/generated/types.ts'
import type { RunStep } from '#build/graph/operations.ts'
import type { Endpoint, NetworkInfo } from '#network/networks.ts'
import type { Machine } from '#runtime/machine.ts'
import { splitSysctls } from '#runtime/namespaces.ts'
import type { RuntimeSpec } from '#runtime/oci-runtime-spec.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type { Runtimes } from '#runtime/runtimes.ts'
import type { ShimConfig, ShimNetwork } from '#runtime/shim.ts'
import { type SpecInput, type SpecMount, buildExecProcess, buildSpec } from '#runtime/spec.ts'
import { resolveUser } from '#runtime/users.ts'
import type { RootMount } from '#store/snapshots/snapshots.ts'
import { containerDevices } from '../../containers/devices.ts'
import type { ContainerPaths } from '../../containers/paths.ts'
import { cgroupsPath } from '../../containers/remains.ts'
import { shimLink } from '../../networks/shim-link.ts'
import type { StepMounts } from './step-mounts.ts'
import type { StepRoot } from './step-root.ts'
import { stepHostConfig, stepSpec } from './step-spec.ts'

export interface StepBundleDeps {
  readonly machine: Machine
  readonly runtime: Pick<OciRuntime, 'root'>
  readonly runtimes: Pick<Runtimes, 'standard'>
  readonly bridge: () => NetworkInfo
  readonly execRoot: string
  /** Parent of the control groups of steps that name none. */
  readonly cgroupParent: string
  /** Directory of the memory (v1) or unified (v2) cgroup for a cgroups path. */
  readonly cgroupDirectory: (cgroupsPath: string) => string
}

/** What a step has been given. */
export interface StepParts {
  readonly id: string
  readonly step: RunStep
  readonly paths: ContainerPaths
  readonly root: RootMount
  readonly endpoint: Endpoint | undefined
  /** /etc/hosts and its like; a mount of the step's own takes the place of one. */
  readonly files: readonly SpecMount[]
  readonly asked: StepMounts
}

export interface StepBundle {
  readonly config: ShimConfig
  /** Where something is mounted in the root filesystem. */
  readonly targets: readonly string[]
  /** The text of `config.json`, once the root filesystem is there: it says who the user is. Fails as `resolveUser`. */
  spec(root: StepRoot): RuntimeSpec
}

export async function stepBundle(parts: StepParts, deps: StepBundleDeps): Promise<StepBundle> {
  const { step, asked, files } = parts
  const hostConfig = stepHostConfig(step, deps.machine)
  const taken = new Set(asked.mounts.map(({ destination }) => destination))
  const mounts = [...files.filter(({ destination }) => !taken.has(destination)), ...asked.mounts]
  const input = await inputOf(parts, hostConfig, mounts, deps)
  const { spec, filter } = await deps.runtimes.standard.seccompFilters.prepare(buildSpec(input))
  return {
    config: { ...shimConfig(parts, input, deps), seccompFilter: filter },
    targets: mounts.map(({ destination }) => destination),
    spec: (root) => {
      const user = resolveUser(step.user, root.read('/etc/passwd'), root.read('/etc/group'), [])
      return { ...spec, process: buildExecProcess({ ...input, user }) }
    },
  }
}

/** Everything but the user. */
async function inputOf(
  { id, step, asked, endpoint }: StepParts,
  hostConfig: HostConfig,
  mounts: readonly SpecMount[],
  { machine, cgroupParent }: StepBundleDeps,
): Promise<SpecInput> {
  return stepSpec(step, {
    id,
    hostConfig,
    machine,
    mounts,
    user: { uid: 0, gid: 0, additionalGids: [], home: '/' },
    devices: await containerDevices(hostConfig),
    cgroupsPath: cgroupsPath(id, hostConfig, cgroupParent),
    env: asked.env,
    withoutIpv6: endpoint === undefined || endpoint.ipv6 !== undefined ? [] : [endpoint.ifname],
  })
}

function shimConfig(parts: StepParts, input: SpecInput, deps: StepBundleDeps): ShimConfig {
  const { id, paths, root, asked } = parts
  const { runtime, runtimes, execRoot, machine, cgroupDirectory } = deps
  return {
    id,
    runtime: runtimes.standard.binary,
    runtimeRoot: runtime.root,
    bundle: paths.runtime,
    rootfs: paths.rootfs,
    ...root,
    // Whatever becomes of it is read before anything is synced, or is of no use.
    volatile: true,
    hide: join(execRoot, 'mnt'),
    tty: false,
    stdin: false,
    stdinOnce: false,
    exitRecord: join(paths.runtime, 'exit'),
    cgroup: { version: machine.cgroupVersion, directory: cgroupDirectory(input.cgroupsPath) },
    network: shimNetwork(parts, input, deps),
    shares: [],
    pins: asked.pins,
  }
}

function shimNetwork(
  { step, endpoint }: StepParts,
  input: SpecInput,
  { bridge }: StepBundleDeps,
): ShimNetwork {
  if (step.network === 'host') return { mode: 'host' }
  const sysctls = splitSysctls(input.sysctls, input.namespaces).network
  if (endpoint === undefined) return { mode: 'none', sysctls }
  return { mode: 'new', sysctls, link: shimLink(bridge(), endpoint, { v4: endpoint, v6: endpoint }) }
}
