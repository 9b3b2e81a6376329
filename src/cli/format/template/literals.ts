import type { Token } from './lexer.ts'

/** The text that a string or a character of a template stands for; undefined: it has an escape that Go does not know. */
export function unquoted({ kind, text }: Token): string | undefined {
  if (text.startsWith('`')) return text.slice(1, -1)
  const inner = text.slice(1, -1).replaceAll("\\'", "'")
  const json = `"${kind === 'char' ? inner.replaceAll('"', '\\"') : inner}"`
    .replaceAll(/\\x([0-9a-fA-F]{2})/g, '\\u00$1')
    .replaceAll('\\a', '\\u0007')
    .replaceAll('\\v', '\\u000b')
  try {
    return JSON.parse(json) as string
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
