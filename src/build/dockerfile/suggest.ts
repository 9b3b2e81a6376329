/** Options after so many are not looked at: a suggestion is a courtesy. */
const MOST = 200

/** The option nearest to `given`, if it is at most two edits away and not the same; the earlier of equals. */
export function nearest(given: string, options: Iterable<string>): string | undefined {
  let best: string | undefined
  let distance = 3
  let looked = 0
  for (const option of options) {
    if (option === given) return undefined
    if (++looked > MOST) break
    const d = editDistance(given, option, distance)
    if (d < distance) [best, distance] = [option, d]
  }
  return best
}

/** ` (did you mean X?)`, or nothing. */
export function didYouMean(given: string, options: Iterable<string>): string {
  const near = nearest(given, options)
  return near === undefined ? '' : ` (did you mean ${near}?)`
}

/** Levenshtein distance; `limit` when it is not less. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    if (Math.min(...next) >= limit) return limit
    row = next
  }
  return Math.min(row[b.length] ?? limit, limit)
}
