import { invalidFilter } from './errors.ts'

/**
 * A matcher for a shell pattern as in Go's path.Match: `*` and `?` stop at `/`, `[a-z]` and `[^a-z]` are sets,
 * a backslash takes the next character literally. Throws `invalid_argument` for a malformed pattern.
 */
export function globMatcher(pattern: string): (text: string) => boolean {
  let source = ''
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    switch (character) {
      case '*':
        // Two stars in a row mean no more than one, and would make the expression slow.
        while (pattern[at + 1] === '*') at++
        source += '[^/]*'
        break
      case '?':
        source += '[^/]'
        break
      case '[': {
        const end = endOfSet(pattern, at)
        source += setSource(pattern.slice(at + 1, end), pattern)
        at = end
        break
      }
      case '\\':
        if (at + 1 === pattern.length) throw badPattern(pattern)
        source += escapeCharacter(pattern[++at]!)
        break
      default:
        source += escapeCharacter(character)
    }
  }
  const expression = new RegExp(`^${source}$`, 's')
  return (text) => expression.test(text)
}

function endOfSet(pattern: string, start: number): number {
  for (let at = start + 1; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++
    else if (pattern[at] === ']' && at > start + 1) return at
  }
  throw badPattern(pattern)
}

/** Between the brackets: an optional `^`, then characters and ranges. */
function setSource(set: string, pattern: string): string {
  const negated = set.startsWith('^')
  const characters = [...set.slice(negated ? 1 : 0).matchAll(/\\?(.)/gsu)].map(([whole, character]) => ({
    character: character ?? '',
    escaped: whole.startsWith('\\'),
  }))
  if (characters.length === 0) throw badPattern(pattern)

  let source = ''
  for (let at = 0; at < characters.length; at++) {
    const low = characters[at]!
    const dash = characters[at + 1]
    const high = characters[at + 2]
    if (!low.escaped && low.character === '-') throw badPattern(pattern)
    if (dash?.character !== '-' || dash.escaped) {
      source += escapeCharacter(low.character)
      continue
    }
    if (high === undefined || high.character < low.character) throw badPattern(pattern)
    source += `${escapeCharacter(low.character)}-${escapeCharacter(high.character)}`
    at += 2
  }
  return `[${negated ? '^' : ''}${source}]`
}

function escapeCharacter(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&')
}

function badPattern(pattern: string): Error {
  return invalidFilter('reference', pattern)
}
