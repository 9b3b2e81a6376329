import type { DiskAccount, DiskCategory } from '#api/disk-account.ts'
import { alignColumns } from './table.ts'
import { humanSize } from './units.ts'
import { printable } from './progress-screen.ts'

/** What lies below the data root, category by category; empty ones and what they are only in the `verbose` form. */
export function accountText(
  { Root, Total, Categories, Unexplained }: DiskAccount,
  { verbose }: { readonly verbose: boolean },
): string {
  const shown = Categories.filter(({ Size }) => verbose || Size > 0)
  const row = (each: DiskCategory): string[] => [
    each.Name,
    humanSize(each.Size),
    humanSize(each.Reclaimable),
    ...(verbose ? [printable(each.Description)] : []),
  ]
  const titles = ['ON DISK', 'SIZE', 'RECLAIMABLE', ...(verbose ? ['WHAT IT IS'] : [])]
  const total = ['Total', humanSize(Total), humanSize(reclaimable(shown)), ...(verbose ? [Root] : [])]
  const table = alignColumns(
    [titles, ...shown.map(row), total].map((cells) => `${cells.join('\t')}\n`).join(''),
  )
  return verbose ? table + strangersText(Unexplained, Root) : table
}

function reclaimable(categories: readonly DiskCategory[]): number {
  return categories.reduce((sum, { Reclaimable }) => sum + Reclaimable, 0)
}

function strangersText(strangers: DiskAccount['Unexplained'], root: string): string {
  if (strangers.length === 0) return ''
  const lines = strangers.map(({ Path, Size }) => `  ${printable(Path)} (${humanSize(Size)})\n`)
  return `\nUnexplained, below ${root}:\n\n${lines.join('')}`
}
