import { median } from './measure.ts'
import type { Row } from './samples.ts'

/** The rows as a table in Markdown, which is also how they are read best on a terminal. */
export function table<Column extends { readonly name: string }>(
  rows: readonly Row<Column>[],
  columns: readonly Column[],
): string {
  const [base] = columns
  const heads = ['', ...columns.map(({ name }) => name)]
  const body = rows.map(({ title, unit, samples }) => [
    `${title} (${unit})`,
    ...columns.map((column) => cell(samples.get(column), base && samples.get(base), unit)),
  ])
  const widths = heads.map((_, at) => Math.max(...[heads, ...body].map((line) => line[at]?.length ?? 0), 3))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text, at) => text.padEnd(widths[at] ?? 0)).join(' | ')} |`
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n')
}

/** `best / median (ratio of the medians to the first column)`; the first column has no ratio. */
function cell(
  values: readonly number[] | undefined,
  base: readonly number[] | undefined,
  unit: Row<unknown>['unit'],
): string {
  if (values === undefined || values.length === 0) return '–'
  const best = unit === '/s' ? Math.max(...values) : Math.min(...values)
  const text = `${figure(best)} / ${figure(median(values))}`
  return values === base || base === undefined ? text : `${text} (${ratio(median(values) / median(base))})`
}

/** A quarter is `1/4.00`, four times `4.00×`. */
function ratio(value: number): string {
  return value < 1 ? `1/${figure(1 / value)}` : `${figure(value)}×`
}

/** Three significant digits, and no exponent. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(value).toLocaleString('en')
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}
