/** How Go prints values with `%q` and `%v`: history entries of images are written so, and tools read them. */

const SHORT: ReadonlyMap<string, string> = new Map([
  ['\u0007', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
  ['\\', '\\\\'],
])
const PRINTABLE = /^[ \p{L}\p{M}\p{N}\p{P}\p{S}]$/u

/** A string in double quotes. */
export function goQuote(text: string): string {
  return `"${Array.from(text, (character) => (character === '"' ? '\\"' : escaped(character))).join('')}"`
}

/** A list of strings: `["a" "b"]`. */
export function goQuoteList(texts: readonly string[]): string {
  return `[${texts.map(goQuote).join(' ')}]`
}

/** A number printed with `%q`, which takes it for a character. */
export function goQuoteNumber(number: number): string {
  const character = String.fromCodePoint(number <= 0x10_ff_ff ? number : 0xff_fd)
  return `'${character === "'" ? "\\'" : escaped(character)}'`
}

function escaped(character: string): string {
  const short = SHORT.get(character)
  if (short !== undefined) return short
  if (PRINTABLE.test(character)) return character
  const code = character.codePointAt(0) ?? 0
  if (code < 0x80) return `\\x${hex(code, 2)}`
  return code < 0x1_00_00 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
