import { access, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '#base/errors.ts'
import { kernelCapabilities } from './capabilities.ts'
import { rlimitNames } from './rlimits.ts'
import type { SpecMachine } from './spec.ts'

/** What the machine's cgroups can do; where something is missing Docker drops the option with a warning. */
export interface CgroupFeatures {
  readonly memoryLimit: boolean
  readonly swapLimit: boolean
  readonly memoryReservation: boolean
  readonly memorySwappiness: boolean
  readonly oomKillDisable: boolean
  readonly cpuShares: boolean
  readonly cpuCfs: boolean
  readonly cpuset: boolean
  readonly pidsLimit: boolean
  readonly blkioWeight: boolean
  readonly blkioThrottle: boolean
  /** `0-3,7`, as the kernel writes it. */
  readonly cpusetCpus: string
  readonly cpusetMems: string
}

export interface Machine extends SpecMachine {
  readonly kernel: string
  readonly minOomScoreAdj: number
  readonly cgroups: CgroupFeatures
  /** Controllers of a v2 hierarchy that is mounted beside v1 ones; crun refuses to work with them. */
  readonly hybridControllers: readonly string[]
}

export interface ReadMachineOptions {
  /** Where /proc and /sys are; for tests. */
  readonly root?: string
  /** OCI architecture of this process. */
  readonly architecture?: string
  /** Whether the chosen runtime can make time namespaces. */
  readonly timeNamespaces?: boolean
}

/** Names in /proc/self/limits, by ours. */
const LIMIT_LINES: Readonly<Record<string, string>> = {
  cpu: 'Max cpu time',
  fsize: 'Max file size',
  data: 'Max data size',
  stack: 'Max stack size',
  core: 'Max core file size',
  rss: 'Max resident set',
  nproc: 'Max processes',
  nofile: 'Max open files',
  memlock: 'Max locked memory',
  as: 'Max address space',
  locks: 'Max file locks',
  sigpending: 'Max pending signals',
  msgqueue: 'Max msgqueue size',
  nice: 'Max nice priority',
  rtprio: 'Max realtime priority',
  rttime: 'Max realtime timeout',
}

/** Reads the facts of the real machine once, at start. */
export async function readMachine(options: ReadMachineOptions = {}): Promise<Machine> {
  const root = options.root ?? '/'
  const [limits, status, nrOpen, oomScoreAdj, kernel, unified] = await Promise.all([
    text(root, 'proc/self/limits'),
    text(root, 'proc/self/status'),
    text(root, 'proc/sys/fs/nr_open'),
    text(root, 'proc/self/oom_score_adj'),
    text(root, 'proc/sys/kernel/osrelease'),
    exists(root, 'sys/fs/cgroup/cgroup.controllers'),
  ])
  const capabilities = parseCapabilities(status)
  const cgroupVersion = unified ? 'v2' : 'v1'
  const cgroups = unified ? await unifiedFeatures(root) : await v1Features(root)
  const mayRaise = capabilities.includes('CAP_SYS_RESOURCE')
  return {
    cgroupVersion,
    cpus: await onlineCpus(root),
    hardLimits: hardLimits(limits, Number(nrOpen), mayRaise),
    capabilities,
    timeNamespaces: (options.timeNamespaces ?? false) && (await exists(root, 'proc/self/ns/time')),
    thermalThrottlePaths: await thermalThrottlePaths(root),
    architecture: options.architecture ?? ociArchitecture(process.arch),
    kernel: kernel.trim(),
    minOomScoreAdj: mayRaise ? -1000 : Number(oomScoreAdj),
    cgroups,
    hybridControllers: words(await text(root, 'sys/fs/cgroup/unified/cgroup.controllers')),
  }
}

/** Node's name for a processor in OCI's words. */
export function ociArchitecture(architecture: string): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }
  return names[architecture] ?? architecture
}

/** Parses a list as in cpuset.cpus: `0-3,7`. Undefined when it is none. */
export function parseCpuList(list: string): Set<number> | undefined {
  const cpus = new Set<number>()
  for (const part of list.trim().split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim())
    if (!match) return undefined
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    if (last < first) return undefined
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu)
  }
  return cpus
}

function parseCapabilities(status: string): string[] {
  // What is both permitted and in the bounding set can be handed on.
  const mask = (key: string): bigint =>
    BigInt(`0x${new RegExp(`^${key}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`)
  const held = mask('CapPrm') & mask('CapBnd')
  return kernelCapabilities.filter((_, bit) => ((held >> BigInt(bit)) & 1n) === 1n)
}

/** Limits above which nothing can be set. With CAP_SYS_RESOURCE only nofile has one. */
function hardLimits(limits: string, nrOpen: number, mayRaise: boolean): Record<string, number> {
  if (mayRaise) return nrOpen > 0 ? { nofile: nrOpen } : {}
  const result: Record<string, number> = {}
  for (const name of rlimitNames) {
    const line = limits.split('\n').find((candidate) => candidate.startsWith(`${LIMIT_LINES[name]} `))
    const hard = line?.slice(LIMIT_LINES[name]?.length).trim().split(/\s+/)[1]
    if (hard !== undefined && hard !== 'unlimited') result[name] = Number(hard)
  }
  return result
}

async function onlineCpus(root: string): Promise<number> {
  return parseCpuList(await text(root, 'sys/devices/system/cpu/online'))?.size ?? 1
}

async function thermalThrottlePaths(root: string): Promise<string[]> {
  const directory = 'sys/devices/system/cpu'
  const paths = (await list(root, directory))
    .filter((name) => /^cpu\d+$/.test(name))
    .toSorted((a, b) => Number(a.slice(3)) - Number(b.slice(3)))
    .map((name) => `/${directory}/${name}/thermal_throttle`)
  const found = await Promise.all(paths.map((path) => exists(root, path)))
  return paths.filter((_, i) => found[i])
}

async function v1Features(root: string): Promise<CgroupFeatures> {
  const has = (path: string): Promise<boolean> => exists(root, join('sys/fs/cgroup', path))
  const [memoryLimit, swapLimit, memoryReservation, memorySwappiness, oomKillDisable] = await Promise.all([
    has('memory/memory.limit_in_bytes'),
    has('memory/memory.memsw.limit_in_bytes'),
    has('memory/memory.soft_limit_in_bytes'),
    has('memory/memory.swappiness'),
    has('memory/memory.oom_control'),
  ])
  const [cpuShares, cpuCfs, cpuset, pidsLimit, blkioWeight, blkioThrottle] = await Promise.all([
    has('cpu/cpu.shares'),
    has('cpu/cpu.cfs_quota_us'),
    has('cpuset/cpuset.cpus'),
    has('pids'),
    has('blkio/blkio.weight'),
    has('blkio/blkio.throttle.read_bps_device'),
  ])
  return {
    memoryLimit,
    swapLimit,
    memoryReservation,
    memorySwappiness,
    oomKillDisable,
    cpuShares,
    cpuCfs,
    cpuset,
    pidsLimit,
    blkioWeight,
    blkioThrottle,
    cpusetCpus: (await text(root, 'sys/fs/cgroup/cpuset/cpuset.cpus')).trim(),
    cpusetMems: (await text(root, 'sys/fs/cgroup/cpuset/cpuset.mems')).trim(),
  }
}

async function unifiedFeatures(root: string): Promise<CgroupFeatures> {
  const controllers = words(await text(root, 'sys/fs/cgroup/cgroup.controllers'))
  const memory = controllers.includes('memory')
  const cpu = controllers.includes('cpu')
  const io = controllers.includes('io')
  return {
    memoryLimit: memory,
    swapLimit: memory && (await exists(root, 'proc/swaps')),
    memoryReservation: memory,
    // These two have no counterpart in v2.
    memorySwappiness: false,
    oomKillDisable: false,
    cpuShares: cpu,
    cpuCfs: cpu,
    cpuset: controllers.includes('cpuset'),
    pidsLimit: controllers.includes('pids'),
    blkioWeight: io,
    blkioThrottle: io,
    cpusetCpus: (await text(root, 'sys/fs/cgroup/cpuset.cpus.effective')).trim(),
    cpusetMems: (await text(root, 'sys/fs/cgroup/cpuset.mems.effective')).trim(),
  }
}

function words(value: string): string[] {
  return value.split(/\s+/).filter((word) => word !== '')
}

/** Empty when the kernel does not offer the file. */
async function text(root: string, path: string): Promise<string> {
  try {
    return await readFile(join(root, path), 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EINVAL', 'EOPNOTSUPP')) return ''
    throw error
  }
}

async function list(root: string, path: string): Promise<string[]> {
  try {
    return await readdir(join(root, path))
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return []
    throw error
  }
}

async function exists(root: string, path: string): Promise<boolean> {
  try {
    await access(join(root, path))
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return false
    throw error
  }
}
