import { EngineError } from '#base/errors.ts'
import type { Capabilities } from './oci-runtime-spec.ts'

/** Linux capabilities in the order of their numbers (capability.h). */
export const kernelCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
]

/** What a container gets without any option. */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SYS_CHROOT',
  'CAP_MKNOD',
  'CAP_AUDIT_WRITE',
  'CAP_SETFCAP',
]

const ALL = 'ALL'

/**
 * `ALL`, or names in the form `CAP_X`, from whatever case and with or without the prefix. Refuses names that no kernel
 * knows, and those that cannot be given here because `available` lacks them.
 */
export function normalizeCapabilities(names: readonly string[], available: readonly string[]): string[] {
  return names.map((given) => {
    const upper = given.toUpperCase()
    if (upper === ALL || upper === `CAP_${ALL}`) return ALL
    const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`
    if (!kernelCapabilities.includes(name)) throw invalid(`unknown capability: "${name}"`, name)
    if (!available.includes(name)) {
      throw invalid(
        `capability not supported by your kernel or not available in the current environment: "${name}"`,
        name,
      )
    }
    return name
  })
}

export interface CapabilityChoice {
  readonly privileged: boolean
  readonly capAdd: readonly string[]
  readonly capDrop: readonly string[]
}

/** The bounding set of a container, in kernel order; never more than `available`. Drops come before additions. */
export function boundingSet(choice: CapabilityChoice, available: readonly string[]): string[] {
  if (choice.privileged) return inKernelOrder(available)
  const add = normalizeCapabilities(choice.capAdd, available)
  // Dropping what cannot be had anyway is no error.
  const drop = normalizeCapabilities(choice.capDrop, kernelCapabilities)

  if (add.includes(ALL)) return inKernelOrder(available.filter((name) => !drop.includes(name)))
  if (drop.includes(ALL)) return inKernelOrder(add)
  const kept = defaultCapabilities.filter((name) => available.includes(name) && !drop.includes(name))
  return inKernelOrder([...kept, ...add])
}

/**
 * The five sets of a process. Inheritable and ambient are always empty (CVE-2022-24769). The kernel takes permitted and
 * effective away from a process without uid 0 when it executes a program; they are not given in the first place.
 */
export function processCapabilities(bounding: readonly string[], uid: number): Capabilities {
  const held = uid === 0 ? bounding : []
  return { bounding, effective: held, permitted: held, inheritable: [], ambient: [] }
}

function inKernelOrder(names: readonly string[]): string[] {
  return kernelCapabilities.filter((name) => names.includes(name))
}

function invalid(message: string, capability: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CAPABILITY_INVALID', details: { capability } })
}
