import { existsSync, readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** What figures depend on besides the programs: processor, memory, kernel, control groups. */
export function machineFacts(): string {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${memory} GiB, Linux ${kernelVersion()}, ${cgroupMode()}`
}

export function loadFacts(): string {
  return `load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')}`
}

function cgroupMode(): string {
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) return 'cgroup v2'
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
  return mounts.includes(' cgroup2 ') ? 'cgroup v1 with a v2 hierarchy beside it' : 'cgroup v1'
}

/** Without what a distributor appended to it. */
function kernelVersion(): string {
  return /^[\d.]+/.exec(release())?.[0] ?? release()
}
