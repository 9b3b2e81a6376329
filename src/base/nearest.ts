/** Options after so many are not looked at: a suggestion is a courtesy. */
const MOST_OPTIONS = 200

/**
 * The option nearest to `given`, if it is at most `most` slips away and not the same; the earlier of equals. A slip is
 * a letter left out, added, exchanged, or swapped with its neighbour.
 */
export function nearest(given: string, options: Iterable<string>, most = 2): string | undefined {
  let best: string | undefined
  let fewest = most + 1
  let looked = 0
  for (const option of options) {
    if (option === given) return undefined
    if (++looked > MOST_OPTIONS) break
    const slips = slipsBetween(given, option, fewest)
    if (slips < fewest) [best, fewest] = [option, slips]
  }
  return best
}

/** ` (did you mean X?)`, or nothing. */
export function didYouMean(given: string, options: Iterable<string>): string {
  const near = nearest(given, options)
  return near === undefined ? '' : ` (did you mean ${near}?)`
}

/** Damerau and Levenshtein's distance; `limit` when it is not less. */
function slipsBetween(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let before: readonly number[] = []
  let row: readonly number[] = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const exchanged = swapped ? (before[j - 2] ?? 0) + 1 : limit
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, exchanged))
    }
    before = row
    row = next
  }
  return Math.min(row[b.length] ?? limit, limit)
}
