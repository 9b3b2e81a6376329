import type { DiskUsage } from '#client/system.ts'
import type { Headers } from '../list.ts'
import { view, type View } from '../template/view.ts'
import { humanSize } from '../units.ts'

export const diskUsageTable = 'table {{.Type}}\\t{{.TotalCount}}\\t{{.Active}}\\t{{.Size}}\\t{{.Reclaimable}}'

export const diskUsageHeaders: Headers = {
  Type: 'TYPE',
  TotalCount: 'TOTAL',
  Active: 'ACTIVE',
  Size: 'SIZE',
  Reclaimable: 'RECLAIMABLE',
}

interface Usage {
  readonly type: string
  readonly total: number
  readonly active: number
  readonly size: number
  readonly reclaimable: number
  /** Whether the share is shown beside the bytes. */
  readonly share: boolean
}

const live = ['running', 'paused', 'restarting']

/** One line per kind of object. */
export function diskUsageViews(usage: DiskUsage): View[] {
  return [images(usage), containers(usage), volumes(usage), buildCache(usage)].map((each) =>
    view('*formatter.diskUsageContext', {
      Type: () => each.type,
      TotalCount: () => String(each.total),
      Active: () => String(each.active),
      Size: () => humanSize(each.size),
      Reclaimable: () => {
        const bytes = humanSize(each.reclaimable)
        return each.share && each.size > 0
          ? `${bytes} (${Math.trunc((each.reclaimable * 100) / each.size)}%)`
          : bytes
      },
    }),
  )
}

function images({ Images, LayersSize }: DiskUsage): Usage {
  const all = Images ?? []
  const active = all.filter(({ Containers }) => (Containers ?? 0) > 0)
  const used = sum(active, ({ Size, SharedSize }) =>
    (SharedSize ?? -1) === -1 ? 0 : (Size ?? 0) - (SharedSize ?? 0),
  )
  const size = LayersSize ?? 0
  return {
    type: 'Images',
    total: all.length,
    active: active.length,
    size,
    reclaimable: size - used,
    share: true,
  }
}

function containers({ Containers }: DiskUsage): Usage {
  const all = Containers ?? []
  const active = all.filter(({ State }) => live.includes(State ?? ''))
  const size = sum(all, ({ SizeRw }) => SizeRw ?? 0)
  const reclaimable = size - sum(active, ({ SizeRw }) => SizeRw ?? 0)
  return { type: 'Containers', total: all.length, active: active.length, size, reclaimable, share: true }
}

function volumes({ Volumes }: DiskUsage): Usage {
  const all = Volumes ?? []
  const active = all.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) > 0)
  const bytes = (volume: (typeof all)[number]): number => Math.max(0, volume.UsageData?.Size ?? 0)
  const size = sum(all, bytes)
  const reclaimable = size - sum(active, bytes)
  return { type: 'Local Volumes', total: all.length, active: active.length, size, reclaimable, share: true }
}

function buildCache({ BuildCache }: DiskUsage): Usage {
  const all = (BuildCache ?? []).filter(({ Shared }) => Shared !== true)
  const inUse = all.filter(({ InUse }) => InUse === true)
  const size = sum(all, ({ Size }) => Size ?? 0)
  const reclaimable = size - sum(inUse, ({ Size }) => Size ?? 0)
  return {
    type: 'Build Cache',
    total: (BuildCache ?? []).length,
    active: inUse.length,
    size,
    reclaimable,
    share: false,
  }
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
