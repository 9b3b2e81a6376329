import { readFileSync, readlinkSync } from 'node:fs'
import { isErrno } from '#base/errors.ts'
import type { Count } from './count.ts'
import { parseCount } from './count.ts'

export interface LinkCounters {
  readonly name: string
  readonly rxBytes: Count
  readonly rxPackets: Count
  readonly rxErrors: Count
  readonly rxDropped: Count
  readonly txBytes: Count
  readonly txPackets: Count
  readonly txErrors: Count
  readonly txDropped: Count
}

/** /proc/PID/net/dev: the links of that process' network namespace, the loopback left out. */
export function parseNetDev(text: string): LinkCounters[] {
  return text
    .split('\n')
    .slice(2)
    .flatMap((line) => {
      const colon = line.lastIndexOf(':')
      const name = line.slice(0, colon).trim()
      if (colon === -1 || name === 'lo') return []
      const fields = line
        .slice(colon + 1)
        .trim()
        .split(/\s+/)
      const field = (index: number): Count => parseCount(fields[index]) ?? 0
      return [
        {
          name,
          rxBytes: field(0),
          rxPackets: field(1),
          rxErrors: field(2),
          rxDropped: field(3),
          txBytes: field(8),
          txPackets: field(9),
          txErrors: field(10),
          txDropped: field(11),
        },
      ]
    })
}

/**
 * Links of a process' network namespace; undefined when the process is gone or shares the namespace of this one.
 * Read synchronously: the kernel has it at hand.
 */
export function linksOf(pid: number): LinkCounters[] | undefined {
  try {
    if (readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync('/proc/self/ns/net')) return undefined
    return parseNetDev(readFileSync(`/proc/${pid}/net/dev`, 'utf8'))
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EINVAL')) return undefined
    throw error
  }
}
