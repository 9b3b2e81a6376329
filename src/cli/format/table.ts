/**
 * Aligns tab-separated cells as Go's tabwriter does: a column is a run of lines that have a cell there which a tab
 * ends; it is as wide as its widest cell and `padding`, at least `minWidth`. The last cell of a line is not aligned.
 */
export function alignColumns(
  text: string,
  options: { readonly minWidth?: number; readonly padding?: number } = {},
): string {
  const { minWidth = 10, padding = 3 } = options
  const lines = text.split('\n').map((line) => line.split('\t'))
  const widths: number[][] = lines.map(() => [])
  const columns = Math.max(0, ...lines.map((cells) => cells.length - 1))

  for (let column = 0; column < columns; column++) {
    for (let from = 0; from < lines.length; from++) {
      let to = from
      let width = minWidth
      for (; to < lines.length && column < (lines[to]?.length ?? 0) - 1; to++) {
        width = Math.max(width, lengthOf(lines[to]?.[column]) + padding)
      }
      for (let line = from; line < to; line++) widths[line]?.push(width)
      if (to > from) from = to
    }
  }
  return lines
    .map((cells, line) => cells.map((cell, i) => cell + gap(cell, widths[line]?.[i])).join(''))
    .join('\n')
}

function gap(cell: string, width: number | undefined): string {
  return width === undefined ? '' : ' '.repeat(Math.max(0, width - lengthOf(cell)))
}

function lengthOf(cell = ''): number {
  return Array.from(cell).length
}
