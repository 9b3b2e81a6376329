import { SyntaxFailure } from './failure.ts'
import { isSpace, skipSpace } from './characters.ts'
import type { Range, Source } from './source.ts'

/** A parser directive: `# name=value` above everything else. */
export interface Directive {
  readonly name: 'syntax' | 'escape' | 'check'
  readonly value: string
  readonly range: Range
}

const DIRECTIVE = /^([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)$/

/**
 * The directives at the head of the file. The first line that is none (a comment, a blank line, an instruction, an
 * unknown name) ends them. A first line with `#!` is skipped, as BuildKit does; `escape` has no effect below it.
 */
export function readDirectives(source: Source): readonly Directive[] {
  const found: Directive[] = []
  let interpreter = false
  for (let n = 1; n <= source.lines; n++) {
    const line = n === 1 ? source.line(1).replace(/^\ufeff/, '') : source.line(n)
    if (n === 1 && line.startsWith('#!')) {
      interpreter = true
      continue
    }
    const range = source.lineRange(n)
    const directive = readDirective(line, range)
    if (directive === undefined || (interpreter && directive.name === 'escape')) break
    if (found.some(({ name }) => name === directive.name))
      throw new SyntaxFailure(`only one ${directive.name} parser directive can be used`, { range })
    found.push(directive)
  }
  return found
}

/** Escape character of the file: a backslash unless a directive says backtick. */
export function escapeOf(directives: readonly Directive[]): '\\' | '`' {
  const directive = directives.find(({ name }) => name === 'escape')
  if (directive === undefined) return '\\'
  const { value, range } = directive
  if (value === '\\' || value === '`') return value
  throw new SyntaxFailure(`invalid escape token '${value}' does not match \` or \\`, { range })
}

function readDirective(line: string, range: Range): Directive | undefined {
  const start = skipSpace(line, 0)
  if (line.charAt(start) !== '#') return undefined
  const match = DIRECTIVE.exec(line.slice(skipSpace(line, start + 1)))
  const name = match?.[1]?.toLowerCase()
  if (name !== 'syntax' && name !== 'escape' && name !== 'check') return undefined
  let value = match?.[2] ?? ''
  while (value !== '' && isSpace(value.charAt(value.length - 1))) value = value.slice(0, -1)
  return { name, value, range }
}
