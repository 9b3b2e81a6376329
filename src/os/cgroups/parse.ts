/** Files of cgroup controllers, as text; pure. Formats: kernel Documentation/admin-guide/cgroup-{v1,v2}. */
import type { Count } from '../proc/count.ts'
import { parseCount, parseKeyed, scale } from '../proc/count.ts'
import type { CpuCounters, IoEntry, MemoryCounters } from './cgroups.ts'

/** Contents of a file; undefined when the kernel does not have it. */
type Text = string | undefined

const NANOSECONDS_PER_TICK = 10_000_000
const NANOSECONDS_PER_MICROSECOND = 1000
/** v1 shows no limit as the largest multiple of the page size. */
const NO_LIMIT_V1 = 2n ** 62n

/** cpu.stat of v2: microseconds. */
export function parseCpuV2(stat: Text): CpuCounters {
  const counts = parseKeyed(stat)
  const time = (key: string): Count => scale(counts.get(key) ?? 0, NANOSECONDS_PER_MICROSECOND)
  return {
    total: time('usage_usec'),
    kernel: time('system_usec'),
    user: time('user_usec'),
    perCpu: undefined,
    periods: counts.get('nr_periods') ?? 0,
    throttledPeriods: counts.get('nr_throttled') ?? 0,
    throttledTime: time('throttled_usec'),
  }
}

export interface CpuFilesV1 {
  /** cpuacct.usage: nanoseconds. */
  readonly usage: Text
  readonly perCpu: Text
  /** cpuacct.stat: ticks. */
  readonly stat: Text
  /** cpu.stat: nanoseconds. */
  readonly throttling: Text
}

export function parseCpuV1({ usage, perCpu, stat, throttling }: CpuFilesV1): CpuCounters {
  const ticks = parseKeyed(stat)
  const throttled = parseKeyed(throttling)
  return {
    total: parseCount(usage) ?? 0,
    kernel: scale(ticks.get('system') ?? 0, NANOSECONDS_PER_TICK),
    user: scale(ticks.get('user') ?? 0, NANOSECONDS_PER_TICK),
    perCpu: perCpu
      ?.trim()
      .split(/\s+/)
      .map((text) => parseCount(text) ?? 0),
    periods: throttled.get('nr_periods') ?? 0,
    throttledPeriods: throttled.get('nr_throttled') ?? 0,
    throttledTime: throttled.get('throttled_time') ?? 0,
  }
}

export function parseMemoryV2(files: {
  readonly current: Text
  readonly max: Text
  readonly events: Text
  readonly stat: Text
}): MemoryCounters {
  return {
    usage: parseCount(files.current) ?? 0,
    maxUsage: undefined,
    limit: parseCount(files.max),
    failures: parseKeyed(files.events).get('oom') ?? 0,
    stat: parseKeyed(files.stat),
  }
}

export function parseMemoryV1(files: {
  readonly usage: Text
  readonly maxUsage: Text
  readonly limit: Text
  readonly failures: Text
  readonly stat: Text
}): MemoryCounters {
  const limit = parseCount(files.limit)
  return {
    usage: parseCount(files.usage) ?? 0,
    maxUsage: parseCount(files.maxUsage),
    limit: limit !== undefined && BigInt(limit) < NO_LIMIT_V1 ? limit : undefined,
    failures: parseCount(files.failures) ?? 0,
    stat: parseKeyed(files.stat),
  }
}

/** io.stat: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`. */
export function parseIoV2(stat: Text): IoEntry[] {
  return (stat ?? '').split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (.*)$/.exec(line)
    if (match === null) return []
    const fields = new Map(
      (match[3] ?? '').split(' ').map((field) => field.split('=', 2) as [string, string]),
    )
    const entry = (op: string, key: string): IoEntry => ({
      major: Number(match[1]),
      minor: Number(match[2]),
      op,
      value: parseCount(fields.get(key)) ?? 0,
    })
    return [entry('read', 'rbytes'), entry('write', 'wbytes')]
  })
}

/** blkio.*: `8:0 Read 1` per device and operation, then `Total 1`, which is left out. */
export function parseIoV1(text: Text): IoEntry[] {
  return (text ?? '').split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line)
    if (match === null) return []
    return [
      {
        major: Number(match[1]),
        minor: Number(match[2]),
        op: match[3] ?? '',
        value: parseCount(match[4]) ?? 0,
      },
    ]
  })
}

/** /proc/PID/cgroup: path by controller; the unified hierarchy has the empty name. */
export function parseProcessCgroups(text: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>()
  for (const [, controllers = '', path = ''] of text.matchAll(/^\d+:([^:]*):(.*)$/gm)) {
    for (const controller of controllers.split(',')) paths.set(controller, path)
  }
  return paths
}

export function parsePids(text: Text): number[] {
  return (text ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)
}
