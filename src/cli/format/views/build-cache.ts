import type { BuildCache } from '#api/generated/types.ts'
import type { Headers } from '../list.ts'
import { view, type View } from '../template/view.ts'
import { goTimeOf, humanDuration, humanSize } from '../units.ts'

export const buildCacheTable =
  'table {{.ID}}\\t{{.CacheType}}\\t{{.Size}}\\t{{.CreatedSince}}\\t{{.LastUsedSince}}\\t{{.UsageCount}}\\t{{.Shared}}'

export const buildCacheHeaders: Headers = {
  ID: 'CACHE ID',
  Parent: 'PARENT',
  CacheType: 'CACHE TYPE',
  Description: 'DESCRIPTION',
  InUse: 'IN USE',
  Shared: 'SHARED',
  Size: 'SIZE',
  CreatedAt: 'CREATED AT',
  CreatedSince: 'CREATED',
  LastUsedAt: 'LAST USED AT',
  LastUsedSince: 'LAST USED',
  UsageCount: 'USAGE',
}

const SHORT = 12

export function buildCacheView(
  item: BuildCache,
  options: { readonly trunc: boolean; readonly now: number },
): View {
  const since = (time: string | null | undefined): string =>
    time ? `${humanDuration((options.now - Date.parse(time)) / 1000)} ago` : ''
  const id = item.ID ?? ''
  return view('*formatter.buildCacheContext', {
    ID: () => `${options.trunc ? id.slice(0, SHORT) : id}${item.InUse === true ? '*' : ''}`,
    Parent: () => (item.Parents ?? []).join(', '),
    CacheType: () => item.Type ?? '',
    Description: () => item.Description ?? '',
    InUse: () => String(item.InUse === true),
    Shared: () => String(item.Shared === true),
    Size: () => humanSize(item.Size ?? 0, 3),
    CreatedAt: () => goTimeOf(item.CreatedAt ?? ''),
    CreatedSince: () => since(item.CreatedAt),
    LastUsedAt: () => goTimeOf(item.LastUsedAt ?? ''),
    LastUsedSince: () => since(item.LastUsedAt),
    UsageCount: () => String(item.UsageCount ?? 0),
  })
}
