import { invalidConfig } from './errors.ts'
import type { MountRequest } from './mount-request.ts'

/** Files of /proc that may be shown otherwise than the kernel does, as runc has them: lxcfs and the like need that. */
const REPLACEABLE: ReadonlySet<string> = new Set(
  'cpuinfo diskstats loadavg meminfo net/dev slabinfo stat swaps sys/crypto/fips_enabled sys/kernel/ns_last_pid uptime'.split(
    ' ',
  ),
)

/** What is mounted below /proc could hide what runtimes check or write there; over /proc only another one can be. */
export function checkProcPlace({ type, source, destination }: MountRequest): void {
  if (destination === '/proc') {
    if (type === 'bind' && source === '/proc') return
    throw invalidConfig('"/proc" cannot be mounted because it is not of type proc')
  }
  if (!destination.startsWith('/proc/') || REPLACEABLE.has(destination.slice('/proc/'.length))) return
  throw invalidConfig(`${JSON.stringify(destination)} cannot be mounted because it is inside /proc`)
}
