/** How Docker matches the values of filters, whatever is listed. */

/** `key`, or `key=value`. */
export function hasLabel(
  labels: Readonly<Record<string, string>> | null | undefined,
  wanted: string,
): boolean {
  if (labels === undefined || labels === null) return false
  const at = wanted.indexOf('=')
  const key = at === -1 ? wanted : wanted.slice(0, at)
  return Object.hasOwn(labels, key) && (at === -1 || labels[key] === wanted.slice(at + 1))
}

/** Exact, or an unanchored regular expression, as in Docker; what is no expression matches literally. */
export function matchesPattern(text: string, pattern: string): boolean {
  if (text === pattern) return true
  try {
    return new RegExp(pattern).test(text)
  } catch {
    return text.includes(pattern)
  }
}
