/** The `rel="next"` of `Link` headers. RFC 8288 section 3 */
export function nextLink(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header.join(', ') : (header ?? '')
  for (const match of text.matchAll(/<([^<>]*)>((?:\s*;\s*[^;,<"]+(?:"[^"]*")?)*)/g)) {
    if (/;\s*rel\s*=\s*(?:next\b|"(?:[^"]*\s)?next(?:\s[^"]*)?")/i.test(match[2] ?? '')) return match[1]
  }
  return undefined
}
