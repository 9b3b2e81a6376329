import { EngineError } from '#base/errors.ts'

/** Splits at blanks that are neither quoted nor escaped. The words keep their quotes: expandWord() removes them. */
export function splitWords(text: string): string[] {
  const words: string[] = []
  let word = ''
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if (quote === '' && /\s/.test(character)) {
      if (word !== '') words.push(word)
      word = ''
      continue
    }
    word += character
    if (character === '\\' && quote !== "'" && at + 1 < text.length) word += text[++at]!
    else if (quote === character) quote = ''
    else if (quote === '' && (character === '"' || character === "'")) quote = character
  }
  if (word !== '') words.push(word)
  return words
}

/**
 * A word of a Dockerfile with quotes and escapes resolved and variables replaced: `$NAME`, `${NAME}`,
 * `${NAME:-default}`, `${NAME:+other}`. Unknown variables are empty.
 */
export function expandWord(text: string, variables: ReadonlyMap<string, string>): string {
  let result = ''
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if (quote === "'") {
      if (character === "'") quote = ''
      else result += character
    } else if (character === '\\') {
      const next = text[at + 1]
      // Within double quotes a backslash is itself, except before what it could be meant for.
      if (next === undefined || (quote === '"' && !'"$\\'.includes(next))) result += character
      else result += text[++at]!
    } else if (character === quote) {
      quote = ''
    } else if (quote === '' && (character === '"' || character === "'")) {
      quote = character
    } else if (character === '$') {
      const { value, end } = variableAt(text, at, variables)
      result += value
      at = end - 1
    } else {
      result += character
    }
  }
  if (quote !== '')
    throw invalid(
      `unexpected end of statement while looking for matching ${quote === '"' ? 'double' : 'single'}-quote`,
    )
  return result
}

function variableAt(
  text: string,
  at: number,
  variables: ReadonlyMap<string, string>,
): { readonly value: string; readonly end: number } {
  const rest = text.slice(at + 1)
  const plain = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#])/.exec(rest)
  if (plain !== null) return { value: variables.get(plain[0]) ?? '', end: at + 1 + plain[0].length }
  if (!rest.startsWith('{')) return { value: '$', end: at + 1 }

  const end = closingBrace(text, at + 1)
  const [, name, operator = '', word = ''] =
    /^([A-Za-z_][A-Za-z0-9_]*|[0-9])(?:(:?[-+?])(.*))?$/s.exec(text.slice(at + 2, end)) ?? []
  if (name === undefined) throw invalid(`unsupported modifier in substitution ${text.slice(at, end + 1)}`)
  const value = variables.get(name)
  const isSet = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined
  switch (operator.at(-1)) {
    case '-':
      return { value: isSet ? (value ?? '') : expandWord(word, variables), end: end + 1 }
    case '+':
      return { value: isSet ? expandWord(word, variables) : '', end: end + 1 }
    case '?':
      if (!isSet) throw invalid(`${name}: ${expandWord(word, variables) || 'is not set'}`)
      return { value: value ?? '', end: end + 1 }
    default:
      return { value: value ?? '', end: end + 1 }
  }
}

function closingBrace(text: string, open: number): number {
  let depth = 0
  for (let at = open; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '{') depth++
    else if (text[at] === '}' && --depth === 0) return at
  }
  throw invalid('syntax error: missing "}" in substitution')
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CHANGE_INVALID' })
}
