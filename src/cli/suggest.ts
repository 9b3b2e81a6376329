/** The candidate that was most likely meant: begun with these letters, or a slip or two away; undefined: none is near. */
export function suggestion(word: string, candidates: Iterable<string>): string | undefined {
  const allowed = word.length < 6 ? 1 : 2
  let best: { readonly text: string; readonly slips: number } | undefined
  for (const text of candidates) {
    const slips = word.length >= 3 && text.startsWith(word) ? 1 : slipsBetween(word, text, allowed)
    if (slips <= allowed && slips < (best?.slips ?? Number.POSITIVE_INFINITY)) best = { text, slips }
  }
  return best?.text
}

/** Letters left out, added, exchanged, or swapped with their neighbour; more than `enough` are not counted. */
function slipsBetween(a: string, b: string, enough: number): number {
  if (Math.abs(a.length - b.length) > enough) return enough + 1
  let before: readonly number[] = []
  let row: readonly number[] = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      next.push(
        Math.min(
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          (row[j - 1] ?? 0) + same,
          swapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
