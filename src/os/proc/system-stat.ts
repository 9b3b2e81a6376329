import { readFileSync } from 'node:fs'
import type { Count } from './count.ts'
import { narrow } from './count.ts'

export interface SystemCpu {
  /** Time of all processors since boot, in nanoseconds, idle included. */
  readonly total: Count
  readonly onlineCpus: number
}

/** USER_HZ: the kernel reports times in 1/100 s on every architecture. */
const NANOSECONDS_PER_TICK = 10_000_000n
/** user, nice, system, idle, iowait, irq, softirq: guest times are in user already. */
const FIELDS = 7

/** /proc/stat. */
export function parseSystemCpu(stat: string): SystemCpu {
  const lines = stat.split('\n')
  const [, ...fields] = (lines[0] ?? '').split(/\s+/)
  const ticks = fields.slice(0, FIELDS).reduce((sum, field) => sum + BigInt(field), 0n)
  const onlineCpus = lines.filter((line) => /^cpu\d/.test(line)).length
  return { total: narrow(ticks * NANOSECONDS_PER_TICK), onlineCpus }
}

/** /proc/meminfo, in bytes by name (`MemTotal`, `SwapTotal`). */
export function parseMeminfo(text: string): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>()
  for (const [, key = '', value, unit] of text.matchAll(/^([^:]+):\s+(\d+)( kB)?$/gm)) {
    sizes.set(key, Number(value) * (unit === undefined ? 1 : 1024))
  }
  return sizes
}

/** Read synchronously: the kernel has it at hand. */
export function systemCpu(): SystemCpu {
  return parseSystemCpu(readFileSync('/proc/stat', 'utf8'))
}

/** Memory of the machine, in bytes. */
export function totalMemory(): number {
  return parseMeminfo(readFileSync('/proc/meminfo', 'utf8')).get('MemTotal') ?? 0
}
