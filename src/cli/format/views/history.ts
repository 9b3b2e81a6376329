import type { ImageHistoryResponseItem } from '#api/generated/types.ts'
import { shortId } from '#base/ids.ts'
import type { Headers } from '../list.ts'
import { view, type View } from '../template/view.ts'
import { ellipsis, humanDuration, humanSize } from '../units.ts'

export const historyTable = 'table {{.ID}}\\t{{.CreatedSince}}\\t{{.CreatedBy}}\\t{{.Size}}\\t{{.Comment}}'
export const historyTableRaw = 'table {{.ID}}\\t{{.CreatedAt}}\\t{{.CreatedBy}}\\t{{.Size}}\\t{{.Comment}}'

export const historyHeaders: Headers = {
  ID: 'IMAGE',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  Size: 'SIZE',
  Comment: 'COMMENT',
}

export function historyView(
  item: ImageHistoryResponseItem,
  options: { readonly trunc: boolean; readonly human: boolean; readonly now: number },
): View {
  const created = item.Created ?? 0
  const by = (item.CreatedBy ?? '').replaceAll('\t', ' ')
  return view('*formatter.historyContext', {
    ID: () => (options.trunc ? shortId(item.Id ?? '') : (item.Id ?? '')),
    CreatedAt: () => new Date(created * 1000).toISOString().replace('.000Z', 'Z'),
    CreatedSince: () =>
      options.human
        ? created <= 0
          ? 'N/A'
          : `${humanDuration(options.now / 1000 - created)} ago`
        : new Date(created * 1000).toISOString().replace('.000Z', 'Z'),
    CreatedBy: () => (options.trunc ? ellipsis(by, 45) : by),
    Size: () => (options.human ? humanSize(item.Size ?? 0, 3) : String(item.Size ?? 0)),
    Comment: () => item.Comment ?? '',
  })
}
