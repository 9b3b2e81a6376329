import type { Mount } from './oci-runtime-spec.ts'
import type { SpecMount } from './spec.ts'

/** Hidden from every container unless it is privileged or says otherwise; in Docker's order, as inspect shows them. */
export const defaultMaskedPaths: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
]

export const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
]

export interface MountChoice {
  readonly mounts: readonly SpecMount[]
  readonly privileged: boolean
  readonly writableCgroups: boolean
  /** As in SpecNamespaces. */
  readonly ipc: string
  readonly shmSize: number
}

/**
 * The kernel's filesystems, then the container's own mounts, parents before children. A mount of the container takes the
 * place of the default at the same path, and one at /dev also of everything below it.
 */
export function linuxMounts(choice: MountChoice): Mount[] {
  const own = choice.mounts.map(({ type, source, destination, options }) => ({
    destination,
    type,
    source,
    options,
  }))
  const taken = new Set(own.map((mount) => mount.destination))
  const defaults = defaultMounts(choice).filter(
    ({ destination }) => !taken.has(destination) && !(taken.has('/dev') && destination.startsWith('/dev/')),
  )
  return [...defaults, ...own.toSorted((a, b) => depth(a.destination) - depth(b.destination))]
}

/** What the root filesystem's mount has to be so that events from the host reach a slave or shared bind. */
export function rootfsPropagation(mounts: readonly SpecMount[]): string | undefined {
  const asked = new Set(mounts.flatMap((mount) => mount.options))
  if (asked.has('shared') || asked.has('rshared')) return 'rshared'
  if (asked.has('slave') || asked.has('rslave')) return 'rslave'
  return undefined
}

function defaultMounts({ privileged, writableCgroups, ipc, shmSize }: MountChoice): Mount[] {
  const kernelOptions = ['nosuid', 'noexec', 'nodev']
  const readOnly = [...kernelOptions, 'ro']
  const mounts: Mount[] = [
    mount('/proc', 'proc', 'proc', kernelOptions),
    mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', 'devpts', [
      'nosuid',
      'noexec',
      'newinstance',
      'ptmxmode=0666',
      'mode=0620',
      'gid=5',
    ]),
    mount('/sys', 'sysfs', 'sysfs', privileged ? kernelOptions : readOnly),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', writableCgroups ? kernelOptions : readOnly),
    mount('/dev/mqueue', 'mqueue', 'mqueue', kernelOptions),
  ]
  if (ipc === 'host') mounts.push(mount('/dev/shm', 'bind', '/dev/shm', ['rbind', 'rprivate']))
  else if (ipc !== 'none') {
    mounts.push(mount('/dev/shm', 'tmpfs', 'shm', [...kernelOptions, 'mode=1777', `size=${shmSize}`]))
  }
  return mounts
}

function mount(destination: string, type: string, source: string, options: readonly string[]): Mount {
  return { destination, type, source, options }
}

function depth(path: string): number {
  return path.split('/').filter((part) => part !== '').length
}
