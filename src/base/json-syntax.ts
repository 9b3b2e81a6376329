/** What is wrong with a text that should be one JSON document (RFC 8259), in the words of Go's decoder, which clients know. */

/** `undefined`: nothing. A document that is followed by something else is not looked at further. */
export function jsonFault(
  text: string,
): 'unexpected content after JSON' | `invalid JSON: ${string}` | undefined {
  const reader = new Reader(text)
  const problem = reader.value()
  if (problem !== undefined) return `invalid JSON: ${problem}`
  return reader.blank() === undefined ? undefined : 'unexpected content after JSON'
}

const END = 'unexpected EOF'
const MAX_DEPTH = 10_000

/** Walks over a text; each step gives the problem that it has met. */
class Reader {
  readonly #text: string
  #at = 0
  /** Ends of what is open, innermost last. */
  readonly #open: ('}' | ']')[] = []

  constructor(text: string) {
    this.#text = text
  }

  /** The next character that is no space; undefined at the end. */
  blank(): string | undefined {
    while (isBlank(this.#text[this.#at])) this.#at++
    return this.#text[this.#at]
  }

  /** One value with all that is in it. */
  value(): string | undefined {
    do {
      const problem = this.#begin() ?? this.#close()
      if (problem !== undefined) return problem
    } while (this.#open.length > 0)
    return undefined
  }

  /** A value up to its first member, or the whole of one that has none. */
  #begin(): string | undefined {
    for (;;) {
      const first = this.blank()
      if (first !== '{' && first !== '[') return this.#scalar(first)
      this.#at++
      this.#open.push(first === '{' ? '}' : ']')
      if (this.#open.length > MAX_DEPTH) return 'exceeded max depth'
      if (this.blank() === this.#open.at(-1)) return undefined
      if (first === '{') {
        const problem = this.#key()
        if (problem !== undefined) return problem
      }
    }
  }

  /** What follows a value, up to where the next one begins. */
  #close(): string | undefined {
    for (;;) {
      const end = this.#open.at(-1)
      if (end === undefined) return undefined
      const next = this.blank()
      if (next === ',') {
        this.#at++
        return end === '}' ? this.#key() : undefined
      }
      if (next !== end)
        return this.#unexpected(end === '}' ? 'after object key:value pair' : 'after array element')
      this.#at++
      this.#open.pop()
    }
  }

  #key(): string | undefined {
    if (this.blank() !== '"') return this.#unexpected('looking for beginning of object key string')
    const problem = this.#string()
    if (problem !== undefined) return problem
    if (this.blank() !== ':') return this.#unexpected('after object key')
    this.#at++
    return undefined
  }

  #scalar(first: string | undefined): string | undefined {
    switch (first) {
      case '"':
        return this.#string()
      case 't':
        return this.#literal('true')
      case 'f':
        return this.#literal('false')
      case 'n':
        return this.#literal('null')
      default:
        return first === '-' || isDigit(first)
          ? this.#number()
          : this.#unexpected('looking for beginning of value')
    }
  }

  #literal(word: string): string | undefined {
    for (const letter of word) {
      if (this.#text[this.#at] !== letter)
        return this.#unexpected(`in literal ${word} (expecting '${letter}')`)
      this.#at++
    }
    return undefined
  }

  #string(): string | undefined {
    this.#at++
    for (;;) {
      const character = this.#text[this.#at]
      if (character === undefined || character < ' ') return this.#unexpected('in string literal')
      this.#at++
      if (character === '"') return undefined
      if (character !== '\\') continue
      const problem = this.#escape()
      if (problem !== undefined) return problem
    }
  }

  #escape(): string | undefined {
    const code = this.#text[this.#at]
    if (code === undefined || !'"\\/bfnrtu'.includes(code)) return this.#unexpected('in string escape code')
    this.#at++
    if (code !== 'u') return undefined
    for (let digit = 0; digit < 4; digit++) {
      if (!/^[\da-f]$/i.test(this.#text.charAt(this.#at)))
        return this.#unexpected('in \\u hexadecimal character escape')
      this.#at++
    }
    return undefined
  }

  #number(): string | undefined {
    if (this.#text[this.#at] === '-') this.#at++
    if (this.#text[this.#at] === '0') this.#at++
    else if (!this.#digits()) return this.#unexpected('in numeric literal')
    if (this.#text[this.#at] === '.') {
      this.#at++
      if (!this.#digits()) return this.#unexpected('after decimal point in numeric literal')
    }
    if (/^e$/i.test(this.#text.charAt(this.#at))) {
      this.#at++
      if (/^[-+]$/.test(this.#text.charAt(this.#at))) this.#at++
      if (!this.#digits()) return this.#unexpected('in exponent of numeric literal')
    }
    return undefined
  }

  #digits(): boolean {
    const from = this.#at
    while (isDigit(this.#text[this.#at])) this.#at++
    return this.#at > from
  }

  #unexpected(where: string): string {
    const character = this.#text[this.#at]
    return character === undefined ? END : `invalid character ${quoted(character)} ${where}`
  }
}

// Compared, not matched: a hostile text has millions of them.
function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\n' || character === '\r' || character === '\t'
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9'
}

/** As Go quotes one character. */
function quoted(character: string): string {
  if (character === "'") return String.raw`'\''`
  if (character === '"') return `'"'`
  return `'${JSON.stringify(character).slice(1, -1)}'`
}
