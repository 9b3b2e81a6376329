import type { DiskAccount, DiskCategory } from '#client/system.ts'
import { alignColumns } from './table.ts'
import { humanSize } from './units.ts'
import { printable } from './progress-screen.ts'

/** What lies below the data root, category by category; empty ones only in the `verbose` form. */
export function accountText(
  { Root, Total, Categories, Unexplained }: DiskAccount,
  { verbose }: { readonly verbose: boolean },
): string {
  const shown = Categories.filter(({ Size }) => verbose || Size > 0)
  const rows = shown.map((each) => [each.Name, humanSize(each.Size), reclaimable(each, verbose), note(each)])
  const titles = ['BELOW THE DATA ROOT', 'SIZE', 'RECLAIMABLE', 'WHAT IT IS']
  const total = ['Total', humanSize(Total), humanSize(sum(shown)), Root]
  const table = alignColumns([titles, ...rows, total].map((cells) => `${cells.join('\t')}\n`).join(''))
  const strangers = verbose ? Unexplained : []
  const paths = strangers.map(({ Path, Size }) => `  ${printable(Path)} (${humanSize(Size)})\n`)
  const list = paths.length === 0 ? '' : `\nUnexplained, below ${Root}:\n\n${paths.join('')}`
  return table + list
}

function reclaimable({ Reclaimable }: DiskCategory, verbose: boolean): string {
  return verbose || Reclaimable > 0 ? humanSize(Reclaimable) : '-'
}

function note({ Description }: DiskCategory): string {
  return printable(Description)
}

function sum(categories: readonly DiskCategory[]): number {
  return categories.reduce((total, { Reclaimable }) => total + Reclaimable, 0)
}
