import type { Seccomp, SeccompArgument, SeccompRule } from './oci-runtime-spec.ts'
import { architectureSyscalls, capabilitySyscalls, commonSyscalls } from './seccomp-syscalls.ts'

const ALLOW = 'SCMP_ACT_ALLOW'
const ERRNO = 'SCMP_ACT_ERRNO'
const EPERM = 1
const ENOSYS = 38

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const NAMESPACE_FLAGS = 0x7e020000

/** Linux, 32-bit behaviour (UNAME26, PER_LINUX32, both) and the query. */
const PERSONALITIES = [0x0, 0x0008, 0x20000, 0x20008, 0xffffffff]

/**
 * Socket families as (mask, value) pairs over the low 32 bits: 0–37, 39 and 41–47. AF_ALG (38) and AF_VSOCK (40) reach
 * kernel code and host services that no container needs. The kernel takes the family from the low half of the register
 * while seccomp compares all of it, so comparing whole values (`> 40`) would let 2^32 + 38 through.
 */
const FAMILIES: readonly (readonly [mask: number, value: number])[] = [
  [0xffffffe0, 0],
  [0xfffffffc, 32],
  [0xfffffffe, 36],
  [0xffffffff, 39],
  [0xffffffff, 41],
  [0xfffffffe, 42],
  [0xfffffffc, 44],
]

/** By OCI architecture: every ABI through which its kernel can be entered. */
export const seccompArchitectures: Readonly<Record<string, readonly string[]>> = {
  amd64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
}

/** The profile for containers that ask for none: an allow list, everything else fails with EPERM. */
export function defaultSeccomp(architecture: string, bounding: readonly string[]): Seccomp {
  const opened = bounding.flatMap((capability) => capabilitySyscalls[capability] ?? [])
  const allowed = new Set([...commonSyscalls, ...(architectureSyscalls[architecture] ?? []), ...opened])
  return {
    defaultAction: ERRNO,
    defaultErrnoRet: EPERM,
    architectures: seccompArchitectures[architecture] ?? [],
    syscalls: [
      // First, since it has to win over what libseccomp derives from the socket rules.
      ...(architecture === 'amd64' ? [denySocketcall] : []),
      { names: [...allowed].toSorted(), action: ALLOW },
      ...PERSONALITIES.map((value) => allowIf('personality', [equal(0, value)])),
      ...FAMILIES.flatMap(([mask, value]) => [
        allowIf('socket', [masked(0, mask, value)]),
        allowIf('socketpair', [masked(0, mask, value)]),
      ]),
      ...(allowed.has('clone') ? [] : cloneWithoutNamespaces),
    ],
  }
}

/**
 * i386's multiplexer passes the family in memory, where a filter cannot see it. ENOSYS sends C libraries to the separate
 * calls (Linux 4.3). Without this rule libseccomp would allow socketcall(SYS_SOCKET) along with `socket`
 * (CVE-2026-123876).
 */
const denySocketcall: SeccompRule = { names: ['socketcall'], action: ERRNO, errnoRet: ENOSYS }

/** clone3's flags are in memory too; ENOSYS makes C libraries fall back to clone. */
const cloneWithoutNamespaces: readonly SeccompRule[] = [
  allowIf('clone', [masked(0, NAMESPACE_FLAGS, 0)]),
  { names: ['clone3'], action: ERRNO, errnoRet: ENOSYS },
]

function allowIf(name: string, args: readonly SeccompArgument[]): SeccompRule {
  return { names: [name], action: ALLOW, args }
}

function equal(index: number, value: number): SeccompArgument {
  return { index, value, op: 'SCMP_CMP_EQ' }
}

function masked(index: number, mask: number, value: number): SeccompArgument {
  return { index, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' }
}
