import { problemAt } from '../document/errors.ts'
import { type Lookup, TemplateError, evaluate, parseTemplate } from './template.ts'

/** What a file of variables says; a name without a value is `undefined` where nobody else knows it. */
export type Variables = ReadonlyMap<string, string>

const NAME = /^[\p{L}_][\p{L}\p{N}_.\-[\]]*/u

/**
 * Reads a `.env` file: `NAME=value`, `NAME: value`, `export NAME=value`, or a bare `NAME`, which takes its value from
 * `lookup`. Values may use variables of `lookup`, of the lines before, and of files before (`earlier`); the first of these
 * that knows one counts.
 */
export function parseDotenv(text: string, file: string, lookup: Lookup, earlier?: Lookup): Variables {
  const clean = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  return new DotenvReader(clean, file, lookup, earlier ?? (() => undefined)).read()
}

class DotenvReader {
  readonly #text: string
  readonly #file: string
  readonly #lookup: Lookup
  readonly #earlier: Lookup
  readonly #variables = new Map<string, string>()
  #at = 0

  constructor(text: string, file: string, lookup: Lookup, earlier: Lookup) {
    this.#text = text
    this.#file = file
    this.#lookup = lookup
    this.#earlier = earlier
  }

  read(): Variables {
    for (;;) {
      this.#skip(/^(?:\s+|#[^\n]*)+/)
      if (this.#at >= this.#text.length) return this.#variables
      this.#statement()
    }
  }

  #statement(): void {
    this.#skip(/^export[ \t]+/)
    const [name] = NAME.exec(this.#rest) ?? []
    if (name === undefined)
      throw this.#problem(`unexpected character ${JSON.stringify(this.#rest[0])} in a variable name`)
    this.#at += name.length
    this.#skip(/^[ \t]*/)
    if (this.#rest === '' || this.#rest.startsWith('\n') || this.#rest.startsWith('#')) {
      const inherited = this.#lookup(name)
      if (inherited !== undefined) this.#variables.set(name, inherited)
      return
    }
    if (!/^[=:]/.test(this.#rest)) {
      throw this.#problem(
        `unexpected character ${JSON.stringify(this.#rest[0])} in variable name ${JSON.stringify(name)}`,
      )
    }
    this.#at += 1
    this.#skip(/^[ \t]*/)
    this.#variables.set(name, this.#value())
  }

  #value(): string {
    const quote = this.#rest[0]
    if (quote === "'") return this.#quoted("'")
    if (quote === '"') return this.#expand(unescape(this.#quoted('"')))
    const [line = ''] = /^[^\n]*/.exec(this.#rest) ?? []
    const start = this.#at
    this.#at += line.length
    return this.#expand(line.replace(/(?:^|\s+)#.*$/, '').trimEnd(), start)
  }

  /** What stands between two quotes, over several lines if need be; backslashes are kept. */
  #quoted(quote: string): string {
    const start = this.#at
    for (let at = start + 1; at < this.#text.length; at++) {
      if (this.#text[at] === '\\' && quote === '"') at += 1
      else if (this.#text[at] === '\\' && this.#text[at + 1] === quote) at += 1
      else if (this.#text[at] === quote) {
        this.#at = at + 1
        this.#skip(/^[^\n]*/)
        const inside = this.#text.slice(start + 1, at)
        return quote === "'" ? inside.replaceAll(`\\'`, `'`) : inside
      }
    }
    const [line = ''] = /^[^\n]*/.exec(this.#rest) ?? []
    throw this.#problem(`unterminated quoted value ${line}`)
  }

  #expand(text: string, start: number = this.#at): string {
    try {
      const known: Lookup = (name) => this.#lookup(name) ?? this.#variables.get(name) ?? this.#earlier(name)
      return evaluate(parseTemplate(text), known, () => undefined)
    } catch (error) {
      if (error instanceof TemplateError) throw this.#problem(error.message, start, error)
      throw error
    }
  }

  get #rest(): string {
    return this.#text.slice(this.#at)
  }

  #skip(pattern: RegExp): void {
    this.#at += pattern.exec(this.#rest)?.[0].length ?? 0
  }

  #problem(message: string, at: number = this.#at, cause?: unknown): Error {
    const before = this.#text.slice(0, at).split('\n')
    const place = { file: this.#file, line: before.length, column: (before.at(-1) ?? '').length + 1 }
    return problemAt(place, message, cause)
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\', $: '$$' }

/** Escapes of double quotes; `\$` becomes `$$`, a dollar that begins no variable. */
function unescape(text: string): string {
  return text.replaceAll(/\\(0[0-7]{0,3}|.)/gs, (whole, code: string) => {
    if (code.startsWith('0')) return String.fromCharCode(Number.parseInt(code, 8))
    return ESCAPES[code] ?? whole
  })
}
