import { EngineError } from '#base/errors.ts'
import type { Namespace, NamespaceType } from './oci-runtime-spec.ts'
import type { SpecNamespaces } from './spec.ts'

/** The namespace the shim is in when it starts the runtime (native/PROTOCOL.md §2). */
const SHIM_NETWORK = '/proc/self/ns/net'

/** config-linux.md "Namespaces". A namespace that is not listed is the host's. */
export function linuxNamespaces(namespaces: SpecNamespaces, time: boolean): Namespace[] {
  const list: Namespace[] = [{ type: 'mount' }]
  if (namespaces.network === 'shim') list.push({ type: 'network', path: SHIM_NETWORK })
  list.push(
    ...entry('uts', namespaces.uts),
    ...entry('pid', namespaces.pid),
    ...entry('ipc', namespaces.ipc === 'none' ? 'private' : namespaces.ipc),
    ...entry('cgroup', namespaces.cgroup),
  )
  if (time) list.push({ type: 'time' })
  return list
}

function entry(type: NamespaceType, mode: string): Namespace[] {
  if (mode === 'host') return []
  if (mode === 'private') return [{ type }]
  if (mode.startsWith('/')) return [{ type, path: mode }]
  throw new EngineError('invalid_argument', `invalid ${type} namespace mode: ${mode}`, {
    code: 'NAMESPACE_INVALID',
    details: { type, mode },
  })
}

export interface SplitSysctls {
  /** `net.*`: for the shim, which owns the network namespace. */
  readonly network: Readonly<Record<string, string>>
  /** The rest: for the runtime-spec. */
  readonly spec: Readonly<Record<string, string>>
}

const IPC_SYSCTLS = [
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]

/**
 * Splits sysctls by who sets them. Only those that the container has a namespace of its own for are allowed; anything
 * else would change the host. Keys may have dots or slashes.
 */
export function splitSysctls(
  sysctls: Readonly<Record<string, string>>,
  namespaces: SpecNamespaces,
): SplitSysctls {
  const network: Record<string, string> = {}
  const spec: Record<string, string> = {}
  for (const [given, value] of Object.entries(sysctls)) {
    const key = dotted(given)
    if (isNetwork(key) && namespaces.network === 'shim') network[key] = value
    else if (isIpc(key) && namespaces.ipc !== 'host') spec[key] = value
    else if (key === 'kernel.domainname' && namespaces.uts !== 'host') spec[key] = value
    else throw notNamespaced(given)
  }
  return { network, spec }
}

/** sysctl(8): the first separator decides which of `.` and `/` separates; the other one is part of a name. */
function dotted(key: string): string {
  const first = /[./]/.exec(key)?.[0]
  if (first !== '/') return key
  return key.replace(/[./]/g, (c) => (c === '/' ? '.' : '/'))
}

/** A segment `..` would lead the writer out of its directory of /proc/sys. */
function isNetwork(key: string): boolean {
  return /^net\.[\w./-]+$/.test(key) && !key.replaceAll('/', '.').includes('..')
}

function isIpc(key: string): boolean {
  return IPC_SYSCTLS.includes(key) || /^fs\.mqueue\.\w+$/.test(key)
}

function notNamespaced(key: string): EngineError {
  return new EngineError('invalid_argument', `sysctl "${key}" is not in a separate kernel namespace`, {
    code: 'SYSCTL_NOT_NAMESPACED',
    details: { sysctl: key },
  })
}
