import { readFile } from 'node:fs/promises'
import { isErrno } from '#base/errors.ts'

/** What identifies a process beyond its pid, which is used again: field 22 of /proc/PID/stat, in clock ticks since boot. */
export async function processStartTime(pid: number): Promise<string | undefined> {
  try {
    return parseStartTime(await readFile(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}

/** proc_pid_stat(5). The second field is the program's name in parentheses and may hold anything. */
export function parseStartTime(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}
