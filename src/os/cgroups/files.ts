/**
 * Files of the cgroup filesystems. They are read synchronously: the kernel makes their contents in microseconds,
 * without any device, while a turn through the thread pool costs more than the read.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError, isErrno } from '#base/errors.ts'
import { parsePids } from './parse.ts'

/** ENODEV: the group was removed while the file was open. EOPNOTSUPP: a file that this controller does not serve. */
const GONE = ['ENOENT', 'ENODEV', 'EOPNOTSUPP']

export function readControl(directory: string | undefined, file: string): string | undefined {
  if (directory === undefined) return undefined
  try {
    return readFileSync(join(directory, file), 'utf8')
  } catch (error) {
    if (isErrno(error, ...GONE)) return undefined
    throw error
  }
}

/** False when the group or the file is not there. */
export function writeControl(directory: string, file: string, value: string): boolean {
  try {
    writeFileSync(join(directory, file), value, { flag: 'r+' })
    return true
  } catch (error) {
    if (isErrno(error, ...GONE)) return false
    throw error
  }
}

/** Processes of the group and of all groups below. */
export function processesBelow(directory: string): number[] {
  const pids = parsePids(readControl(directory, 'cgroup.procs'))
  for (const child of childrenOf(directory)) pids.push(...processesBelow(join(directory, child)))
  return pids
}

function childrenOf(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
  } catch (error) {
    if (isErrno(error, ...GONE)) return []
    throw error
  }
}

const FIRST_WAIT = 1
const LONGEST_WAIT = 50
const PATIENCE = 10_000

/**
 * Waits for a state that the kernel reaches on its own and does not announce (the v1 freezer; processes that are
 * being killed).
 */
export async function settled(what: string, reached: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE
  for (let wait = FIRST_WAIT; !reached(); wait = Math.min(wait * 2, LONGEST_WAIT)) {
    if (performance.now() > deadline) {
      throw new EngineError('unavailable', `${what}: not reached within ${PATIENCE / 1000} s`, {
        code: 'CGROUP_STUCK',
      })
    }
    await sleep(wait)
  }
}

/** SIGKILL to each; one that has ended meanwhile is none of our business. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) throw error
    }
  }
}
