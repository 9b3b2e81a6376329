import { invalidSetting } from './errors.ts'

/** Decides on names of repositories or tags. */
export type Pattern = (name: string) => boolean

/**
 * A pattern as people write it: `*` stands for any characters but a slash, `**` for slashes as well, `?` for one
 * character but a slash; everything else for itself. The whole name must match. `/EXPRESSION/` is a regular expression.
 */
export function compilePattern(text: string): Pattern {
  const [, expression] = /^\/(.+)\/$/.exec(text) ?? []
  const compiled = compile(expression ?? `^${sourceOf(text)}$`, text)
  return (name) => compiled.test(name)
}

function compile(source: string, text: string): RegExp {
  try {
    return new RegExp(source)
  } catch (error) {
    throw invalidSetting(`${text} is no pattern`, error)
  }
}

/** Matches what any of the patterns matches; `whenEmpty` is the answer for no patterns. */
export function anyPattern(texts: readonly string[], whenEmpty: boolean): Pattern {
  if (texts.length === 0) return () => whenEmpty
  const patterns = texts.map(compilePattern)
  return (name) => patterns.some((pattern) => pattern(name))
}

function sourceOf(text: string): string {
  return text
    .split(/(\*\*|\*|\?)/)
    .map((part) => wildcards[part] ?? RegExp.escape(part))
    .join('')
}

const wildcards: Readonly<Record<string, string>> = { '**': '.*', '*': '[^/]*', '?': '[^/]' }
