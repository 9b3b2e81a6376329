/** What Go's unicode.IsSpace calls a space; JavaScript's \s differs in two characters. */
const space = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/

export function isSpace(character: string): boolean {
  return space.test(character)
}

/** Offset of the first character at or after `from` that is no space. */
export function skipSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && isSpace(text.charAt(at))) at++
  return at
}

/** The same with spaces at both ends dropped. */
export function trimSpace(text: string): string {
  return text.slice(skipSpace(text, 0), spaceEnd(text))
}

/** Offset after the last character that is no space. */
export function spaceEnd(text: string): number {
  let end = text.length
  while (end > 0 && isSpace(text.charAt(end - 1))) end--
  return end
}
