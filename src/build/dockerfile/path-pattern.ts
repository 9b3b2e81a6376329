import { SyntaxFailure } from './failure.ts'

/** One element of a pattern. `many` is `*`, `tree` is `**`, `directories` is a `**` with something behind it. */
type Element =
  | { readonly type: 'character'; readonly character: string }
  | {
      readonly type: 'class'
      readonly negated: boolean
      readonly ranges: readonly (readonly [string, string])[]
    }
  | { readonly type: 'one' | 'many' | 'tree' | 'directories' }

/**
 * A pattern of an ignore file: Go's filepath.Match and `**` for any number of directories. All places in the pattern
 * are followed at once, so there is no backtracking.
 */
export class PathPattern {
  readonly #elements: readonly Element[]
  /** The pattern itself when it has no wildcards; the usual case and fast. */
  readonly #literal: string | undefined

  /** Throws SyntaxFailure for what filepath.Match calls a bad pattern. */
  constructor(pattern: string) {
    this.#elements = parse(pattern)
    this.#literal = this.#elements.every(({ type }) => type === 'character')
      ? literalOf(this.#elements)
      : undefined
  }

  /** Whether the pattern matches the path or a directory above it. */
  matchesWithParents(path: string): boolean {
    const literal = this.#literal
    if (literal !== undefined)
      return (
        path.startsWith(literal) && (path.length === literal.length || path.charAt(literal.length) === '/')
      )
    return this.#run(path) === 'matched'
  }

  /** Whether a path below the directory can match, or the directory does and so all below it. */
  mayMatchBelow(directory: string): boolean {
    return this.#run(`${directory}/`) !== 'dead'
  }

  #run(path: string): 'matched' | 'alive' | 'dead' {
    const elements = this.#elements
    const end = elements.length
    let states = new States(end)
    let next = new States(end)
    reach(states, elements, 0)
    for (const character of path) {
      if (character === '/' && states.has(end)) return 'matched'
      next.clear()
      for (const at of states.members()) {
        const element = elements[at]
        if (element !== undefined) advance(next, elements, at, element, character)
      }
      ;[states, next] = [next, states]
      if (states.empty) return 'dead'
    }
    return states.has(end) ? 'matched' : 'alive'
  }
}

/** A set of places that is quick to empty and to walk. */
class States {
  readonly #marks: Uint8Array
  readonly #list: number[] = []

  constructor(last: number) {
    this.#marks = new Uint8Array(last + 1)
  }

  get empty(): boolean {
    return this.#list.length === 0
  }

  has(at: number): boolean {
    return this.#marks[at] === 1
  }

  add(at: number): void {
    if (this.#marks[at] === 1) return
    this.#marks[at] = 1
    this.#list.push(at)
  }

  members(): readonly number[] {
    return this.#list
  }

  clear(): void {
    for (const at of this.#list) this.#marks[at] = 0
    this.#list.length = 0
  }
}

/** Adds a place and all that can be reached from it without a character. */
function reach(states: States, elements: readonly Element[], from: number): void {
  for (let at = from; ; at++) {
    states.add(at)
    const type = elements[at]?.type
    if (type !== 'many' && type !== 'tree' && type !== 'directories') return
  }
}

function advance(
  next: States,
  elements: readonly Element[],
  at: number,
  element: Element,
  character: string,
): void {
  switch (element.type) {
    case 'character':
      if (element.character === character) reach(next, elements, at + 1)
      return
    case 'class':
      if (inClass(element, character)) reach(next, elements, at + 1)
      return
    case 'one':
      if (character !== '/') reach(next, elements, at + 1)
      return
    case 'many':
      if (character !== '/') reach(next, elements, at)
      return
    case 'tree':
      reach(next, elements, at)
      return
    case 'directories':
      // Inside a directory's name nothing behind the element can begin; only after a slash.
      if (character === '/') reach(next, elements, at)
      else next.add(at)
      return
  }
}

function inClass({ negated, ranges }: Extract<Element, { type: 'class' }>, character: string): boolean {
  const code = character.codePointAt(0) ?? 0
  const inside = ranges.some(
    ([low, high]) => (low.codePointAt(0) ?? 0) <= code && code <= (high.codePointAt(0) ?? 0),
  )
  return inside !== negated
}

function literalOf(elements: readonly Element[]): string {
  return elements.map((element) => (element.type === 'character' ? element.character : '')).join('')
}

function parse(pattern: string): readonly Element[] {
  const characters = Array.from(pattern)
  const elements: Element[] = []
  const wildcard = (type: 'many' | 'tree' | 'directories'): void => {
    // Two of the same in a row are one; so no place is reached over more than two others.
    if (elements.at(-1)?.type !== type) elements.push({ type })
  }
  let at = 0
  while (at < characters.length) {
    const c = characters[at++] ?? ''
    if (c === '*' && characters[at] === '*') {
      const begins = at === 1
      at++
      const slash = characters[at] === '/'
      if (slash) at++
      const suffix = begins && !slash && plain(characters, at)
      wildcard(suffix || at >= characters.length ? 'tree' : 'directories')
    } else if (c === '*') wildcard('many')
    else if (c === '?') elements.push({ type: 'one' })
    else if (c === '[') {
      const { element, end } = parseClass(characters, at)
      elements.push(element)
      at = end
    } else if (c === '\\') {
      const character = characters[at++]
      if (character === undefined) throw new SyntaxFailure('syntax error in pattern')
      elements.push({ type: 'character', character })
    } else elements.push({ type: 'character', character: c })
  }
  return elements
}

/** Docker takes `**name` at the beginning, if no wildcard follows, as "ends with name", also inside a name. */
function plain(characters: readonly string[], from: number): boolean {
  return !characters.slice(from).some((c) => '*?[]\\'.includes(c))
}

function parseClass(characters: readonly string[], from: number) {
  const bad = new SyntaxFailure('syntax error in pattern')
  let at = from
  const negated = characters[at] === '^'
  if (negated) at++
  const member = (): string => {
    let c = characters[at++]
    if (c === undefined || c === '-' || c === ']') throw bad
    if (c === '\\') c = characters[at++]
    if (c === undefined) throw bad
    return c
  }
  const ranges: [string, string][] = []
  while (characters[at] !== ']' || ranges.length === 0) {
    const low = member()
    if (characters[at] !== '-') ranges.push([low, low])
    else {
      at++
      ranges.push([low, member()])
    }
  }
  return { element: { type: 'class', negated, ranges } as const, end: at + 1 }
}
