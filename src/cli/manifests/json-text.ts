/**
 * JSON as text: manifests are shown, and kept, with their keys and numbers as they were written, which a parsed value would
 * not have any more. Spacing and escapes are those of Go's encoder, for scripts compare the bytes.
 */

/** One member or element per line. Of `text`, which must be JSON. */
export function indentJson(text: string, indent: string): string {
  return laidOut(text, (depth) => `\n${indent.repeat(depth)}`, ': ')
}

/** Without any spacing. */
export function compactJson(text: string): string {
  return laidOut(text, () => '', ':')
}

function laidOut(text: string, newLine: (depth: number) => string, colon: string): string {
  const parts: string[] = []
  let depth = 0
  let before = ''
  for (const token of tokensOf(text)) {
    const opened = before === '{' || before === '['
    const closes = token === '}' || token === ']'
    if (closes) depth -= 1
    // What is empty stays on its line.
    if (opened !== closes || before === ',') parts.push(newLine(depth))
    parts.push(token === ':' ? colon : token)
    if (token === '{' || token === '[') depth += 1
    before = token
  }
  return parts.join('')
}

const SPACE = ' \t\n\r'
const PUNCTUATION = '{}[],:'

/** By hand: an expression for texts with escapes runs out of stack on those of some megabytes. */
function* tokensOf(text: string): Generator<string> {
  for (let at = 0; at < text.length;) {
    const start = at
    const first = text.charAt(at)
    at += 1
    if (SPACE.includes(first)) continue
    if (first === '"') at = endOfString(text, at)
    else if (!PUNCTUATION.includes(first)) at = endOfWord(text, at)
    yield text.slice(start, at)
  }
}

function endOfString(text: string, start: number): number {
  let at = start
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** Of a number, `true`, `false` or `null`. */
function endOfWord(text: string, start: number): number {
  let at = start
  while (at < text.length && !`${SPACE}${PUNCTUATION}`.includes(text.charAt(at))) at += 1
  return at
}
