import { SyntaxFailure } from './failure.ts'

/** One element of a shell pattern inside `${…}`: a character, `?` or `*`. Neither wildcard matches a line feed. */
type Element = string | typeof ANY | typeof STAR

const ANY = Symbol('?')
const STAR = Symbol('*')

/** Longer patterns are refused, as are pattern and value that take more steps than this: (pattern × value). */
const LONGEST = 4096
const MOST_STEPS = 20_000_000

/** No expansion gives more characters: the kernel takes no variable of half the size. */
export const LONGEST_RESULT = 1 << 20

/** `${v#pattern}`; with `greedy` `${v##pattern}`. */
export function trimPrefix(pattern: string, value: string, greedy: boolean): string {
  const characters = Array.from(value)
  const end = endOfMatch(parsePattern(pattern), characters, greedy)
  return end === undefined ? value : characters.slice(end).join('')
}

/** `${v%pattern}`; with `greedy` `${v%%pattern}`. */
export function trimSuffix(pattern: string, value: string, greedy: boolean): string {
  const characters = Array.from(value).toReversed()
  const end = endOfMatch(parsePattern(pattern).toReversed(), characters, greedy)
  return end === undefined ? value : characters.slice(end).toReversed().join('')
}

/** `${v/pattern/replacement}`; with `all` `${v//pattern/replacement}`. The longest match at the first place wins. */
export function replacePattern(pattern: string, value: string, replacement: string, all: boolean): string {
  const elements = parsePattern(pattern)
  const characters = Array.from(value)
  const out: string[] = []
  let from = 0
  let added = 0
  for (;;) {
    const match = findMatch(elements, characters, from)
    if (match === undefined) break
    out.push(characters.slice(from, match.start).join(''), replacement)
    added += replacement.length
    if (added > LONGEST_RESULT) throw new SyntaxFailure('substitution gives more than a mebibyte')
    from = match.end
    if (match.end === match.start) {
      if (from >= characters.length) break
      out.push(characters[from++] ?? '')
    }
    if (!all) break
  }
  return out.join('') + characters.slice(from).join('')
}

function parsePattern(pattern: string): Element[] {
  const characters = Array.from(pattern)
  if (characters.length > LONGEST)
    throw new SyntaxFailure(`pattern in substitution is longer than ${LONGEST} characters`)
  const elements: Element[] = []
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i] ?? ''
    if (c === '*') {
      if (elements.at(-1) !== STAR) elements.push(STAR)
    } else if (c === '?') elements.push(ANY)
    else if (c === '\\') {
      const next = characters[++i] ?? ''
      // A slash or brace is escaped for the sake of ${…}; the others for the sake of the pattern.
      if (!['}', '/', '*', '?', '\\'].includes(next))
        throw new SyntaxFailure(`invalid pattern (${pattern}) in substitution: invalid escape '\\${next}'`)
      elements.push(next)
    } else elements.push(c)
  }
  return elements
}

/** Where a match from the beginning ends: the last such place, or the first. */
function endOfMatch(
  elements: readonly Element[],
  characters: readonly string[],
  greedy: boolean,
): number | undefined {
  const search = new Search(elements, characters)
  search.begin(0)
  let end = search.accepted === undefined ? undefined : 0
  for (let i = 0; i < characters.length && search.alive; i++) {
    if (end !== undefined && !greedy) return end
    search.step(characters[i] ?? '')
    if (search.accepted !== undefined) end = i + 1
  }
  return end
}

/** The match that begins first, and of those the longest, in one pass. */
function findMatch(
  elements: readonly Element[],
  characters: readonly string[],
  from: number,
): { readonly start: number; readonly end: number } | undefined {
  const search = new Search(elements, characters)
  let match: { start: number; end: number } | undefined
  for (let i = from; ; i++) {
    if (match === undefined) search.begin(i)
    else search.keepUpTo(match.start)
    const start = search.accepted
    if (start !== undefined && (match === undefined || start <= match.start)) match = { start, end: i }
    if (i >= characters.length || (match !== undefined && !search.alive)) return match
    search.step(characters[i] ?? '')
  }
}

/** All positions in the pattern that are possible at once; each knows the earliest start that leads to it. */
class Search {
  readonly #elements: readonly Element[]
  #starts: Float64Array
  #next: Float64Array

  constructor(elements: readonly Element[], characters: readonly string[]) {
    if (elements.length * characters.length > MOST_STEPS)
      throw new SyntaxFailure('pattern and value in substitution are too long together')
    this.#elements = elements
    this.#starts = new Float64Array(elements.length + 1).fill(Infinity)
    this.#next = new Float64Array(elements.length + 1)
  }

  /** Start of a complete match that ends here. */
  get accepted(): number | undefined {
    const start = this.#starts[this.#elements.length] ?? Infinity
    return start === Infinity ? undefined : start
  }

  /** Whether anything could still match with more characters. */
  get alive(): boolean {
    return this.#starts.some((start, at) => start !== Infinity && at < this.#elements.length)
  }

  begin(start: number): void {
    this.#reach(this.#starts, 0, start)
  }

  keepUpTo(start: number): void {
    this.#starts.forEach((at, i) => {
      if (at > start) this.#starts[i] = Infinity
    })
  }

  step(character: string): void {
    const next = this.#next.fill(Infinity)
    this.#starts.forEach((start, at) => {
      const element = this.#elements[at]
      if (start === Infinity || element === undefined) return
      if (element === STAR) {
        if (character !== '\n') this.#reach(next, at, start)
      } else if (element === ANY ? character !== '\n' : element === character)
        this.#reach(next, at + 1, start)
    })
    ;[this.#starts, this.#next] = [next, this.#starts]
  }

  #reach(states: Float64Array, at: number, start: number): void {
    states[at] = Math.min(states[at] ?? Infinity, start)
    if (this.#elements[at] === STAR) states[at + 1] = Math.min(states[at + 1] ?? Infinity, start)
  }
}
