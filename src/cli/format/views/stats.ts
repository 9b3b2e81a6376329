import type {
  ContainerBlkioStatEntry,
  ContainerCPUStats,
  ContainerMemoryStats,
  ContainerStatsResponse,
} from '#api/generated/types.ts'
import { shortId } from '#base/ids.ts'
import type { Headers } from '../list.ts'
import { view, type View } from '../template/view.ts'
import { binarySize, humanSize } from '../units.ts'

export const statsTable =
  'table {{.ID}}\\t{{.Name}}\\t{{.CPUPerc}}\\t{{.MemUsage}}\\t{{.MemPerc}}\\t{{.NetIO}}\\t{{.BlockIO}}\\t{{.PIDs}}'

export const statsHeaders: Headers = {
  Container: 'CONTAINER',
  Name: 'NAME',
  ID: 'CONTAINER ID',
  CPUPerc: 'CPU %',
  MemUsage: 'MEM USAGE / LIMIT',
  MemPerc: 'MEM %',
  NetIO: 'NET I/O',
  BlockIO: 'BLOCK I/O',
  PIDs: 'PIDS',
}

/** What is shown of a container: its reference, and a sample unless there is none (yet, or any more). */
export interface StatsRow {
  readonly container: string
  readonly sample?: ContainerStatsResponse | undefined
}

const UNKNOWN = '--'

export function statsView({ container, sample }: StatsRow, options: { readonly trunc: boolean }): View {
  const id = sample?.id ?? ''
  const memory = memoryUsage(sample?.memory_stats)
  const limit = sample?.memory_stats?.limit ?? 0
  const known = (text: () => string): string => (sample === undefined ? UNKNOWN : text())
  return view('*formatter.statsContext', {
    Container: () => container,
    Name: () => known(() => (sample?.name ?? '').replace(/^\//, '') || UNKNOWN),
    ID: () => known(() => (options.trunc ? shortId(id ?? '') : (id ?? ''))),
    CPUPerc: () => known(() => `${cpuPercent(sample).toFixed(2)}%`),
    MemUsage: () =>
      sample === undefined ? `${UNKNOWN} / ${UNKNOWN}` : `${binarySize(memory)} / ${binarySize(limit ?? 0)}`,
    MemPerc: () => known(() => `${((limit ?? 0) > 0 ? (memory / Number(limit)) * 100 : 0).toFixed(2)}%`),
    NetIO: () => known(() => networkIo(sample)),
    BlockIO: () => known(() => blockIo(sample)),
    PIDs: () => known(() => String(sample?.pids_stats?.current ?? 0)),
  })
}

/** The share of one CPU between the two readings of a sample: 200 means two whole CPUs. */
function cpuPercent(sample: ContainerStatsResponse | undefined): number {
  const now = sample?.cpu_stats
  const before = sample?.precpu_stats
  const used = total(now) - total(before)
  const passed = Number(now?.system_cpu_usage ?? 0) - Number(before?.system_cpu_usage ?? 0)
  const count = now?.online_cpus || now?.cpu_usage?.percpu_usage?.length || 0
  return used > 0 && passed > 0 ? (used / passed) * count * 100 : 0
}

function total(stats: ContainerCPUStats | null | undefined): number {
  return Number(stats?.cpu_usage?.total_usage ?? 0)
}

/** Without the page cache that could be dropped; cgroup v1 and v2 count it under different names. */
function memoryUsage(stats: ContainerMemoryStats | null | undefined): number {
  const usage = Number(stats?.usage ?? 0)
  const cache = Number(stats?.stats?.['total_inactive_file'] ?? stats?.stats?.['inactive_file'] ?? 0)
  return cache < usage ? usage - cache : usage
}

function networkIo(sample: ContainerStatsResponse | undefined): string {
  const all = Object.values(sample?.networks ?? {})
  const sum = (key: 'rx_bytes' | 'tx_bytes'): number =>
    all.reduce((bytes, each) => bytes + Number(each?.[key] ?? 0), 0)
  return `${humanSize(sum('rx_bytes'), 3)} / ${humanSize(sum('tx_bytes'), 3)}`
}

function blockIo(sample: ContainerStatsResponse | undefined): string {
  const all: readonly ContainerBlkioStatEntry[] = sample?.blkio_stats?.io_service_bytes_recursive ?? []
  const sum = (letter: string): number =>
    all
      .filter((each) => each?.op?.toLowerCase().startsWith(letter) === true)
      .reduce((bytes, each) => bytes + Number(each?.value ?? 0), 0)
  return `${humanSize(sum('r'), 3)} / ${humanSize(sum('w'), 3)}`
}
