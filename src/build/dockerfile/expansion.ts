import { isSpace } from './characters.ts'
import { SyntaxFailure } from './failure.ts'
import { LONGEST_RESULT, replacePattern, trimPrefix, trimSuffix } from './pattern.ts'
import { WordList } from './word-list.ts'

/** Value of a variable, undefined when it is not set. */
export type Lookup = (name: string) => string | undefined

export interface ExpansionOptions {
  /** Escape character of the file; a backslash by default. */
  readonly escape?: '\\' | '`'
  /** Quotes are ordinary characters, as in heredocs. */
  readonly quotesAreText?: boolean
  /** Quotes stay in the result. */
  readonly keepQuotes?: boolean
  /** Escape characters stay in the result. */
  readonly keepEscapes?: boolean
  /** References to variables that are not set stay as they are. */
  readonly keepUnset?: boolean
  /** Blanks after `<<` belong to the word. */
  readonly heredocs?: boolean
}

export interface Expansion {
  readonly text: string
  /** The text split at blanks that were neither quoted nor escaped. */
  readonly words: readonly string[]
  readonly used: ReadonlySet<string>
  readonly missing: ReadonlySet<string>
}

/** Substitutions inside substitutions; more is an accident or an attack. */
const DEEPEST = 200

/**
 * Expands variables and removes quotes and escapes, as a shell does with one word; splitting is of the result.
 * Throws SyntaxFailure for what is not closed or not known, and for `${v:?…}`.
 */
export function expandWord(word: string, lookup: Lookup, options: ExpansionOptions = {}): Expansion {
  const reader = new WordReader(word, lookup, options)
  try {
    const { text, words } = reader.readUntil(undefined, options.keepEscapes === true)
    return { text, words, used: reader.used, missing: reader.missing }
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) throw error
    const shown = JSON.stringify(word.length > 200 ? `${word.slice(0, 200)} …` : word)
    throw new SyntaxFailure(`failed to process ${shown}: ${error.message}`, {
      hint: 'Quote it with single quotes to have it taken as it is.',
    })
  }
}

class WordReader {
  readonly used = new Set<string>()
  readonly missing = new Set<string>()
  readonly #characters: readonly string[]
  readonly #lookup: Lookup
  readonly #options: ExpansionOptions
  readonly #escape: string
  #at = 0
  #depth = 0
  /** Characters of all values that went in. */
  #taken = 0
  #keepEscapes = false

  constructor(word: string, lookup: Lookup, options: ExpansionOptions) {
    this.#characters = Array.from(word)
    this.#lookup = lookup
    this.#options = options
    this.#escape = options.escape ?? '\\'
  }

  get #peek(): string | undefined {
    return this.#characters[this.#at]
  }

  /** Reads up to and over `stop`; without one, to the end. */
  readUntil(stop: string | undefined, keepEscapes: boolean): { text: string; words: readonly string[] } {
    const before = this.#keepEscapes
    this.#keepEscapes = keepEscapes
    const words = new WordList()
    for (let c = this.#peek; c !== undefined; c = this.#peek) {
      if (c === stop) {
        this.#at++
        this.#keepEscapes = before
        return { text: words.text, words: words.finish() }
      }
      this.#readInto(words, c)
    }
    if (stop !== undefined)
      throw new SyntaxFailure(`syntax error: missing '${stop}'${stop === '/' ? ' in ${}' : ''}`)
    this.#keepEscapes = before
    return { text: words.text, words: words.finish() }
  }

  #readInto(words: WordList, c: string): void {
    const quotes = this.#options.quotesAreText !== true
    if (c === '$') words.addSplitting(this.#readDollar())
    else if (quotes && c === "'") words.addWhole(this.#readSingleQuoted())
    else if (quotes && c === '"') words.addWhole(this.#readDoubleQuoted())
    else if (this.#options.heredocs === true && c === '<') words.addWhole(this.#readRedirection())
    else if (c === this.#escape) {
      this.#at++
      const escaped = this.#peek
      if (this.#keepEscapes) words.addWhole(c)
      if (escaped === undefined) return
      this.#at++
      words.addWhole(escaped)
    } else {
      this.#at++
      words.addSplitting(c)
    }
  }

  #readSingleQuoted(): string {
    const end = this.#characters.indexOf("'", this.#at + 1)
    if (end === -1)
      throw new SyntaxFailure('unexpected end of statement while looking for matching single-quote')
    const inner = this.#characters.slice(this.#at + 1, end).join('')
    this.#at = end + 1
    return this.#options.keepQuotes === true ? `'${inner}'` : inner
  }

  #readDoubleQuoted(): string {
    const quote = this.#options.keepQuotes === true ? '"' : ''
    const out = [quote]
    this.#at++
    for (let c = this.#peek; c !== undefined; c = this.#peek) {
      if (c === '$') out.push(this.#readDollar())
      else {
        this.#at++
        if (c === '"') return [...out, quote].join('')
        out.push(c === this.#escape ? this.#readEscapedInQuotes() : c)
      }
    }
    throw new SyntaxFailure('unexpected end of statement while looking for matching double-quote')
  }

  /** Only a quote, a dollar sign and the escape itself can be escaped in double quotes. */
  #readEscapedInQuotes(): string {
    const kept = this.#keepEscapes ? this.#escape : ''
    const next = this.#peek
    if (next === undefined) return kept
    if (next !== '"' && next !== '$' && next !== this.#escape) return kept + this.#escape
    this.#at++
    return kept + next
  }

  #readRedirection(): string {
    this.#at++
    if (this.#peek !== '<') return '<'
    let text = '<<'
    this.#at++
    for (let c = this.#peek; c !== undefined && isSpace(c); c = this.#peek) {
      text += c
      this.#at++
    }
    return text
  }

  #readDollar(): string {
    this.#at++
    if (this.#peek === '{') return this.#readBraced()
    const name = this.#readName()
    if (name === '') return '$'
    const value = this.#value(name)
    return value === undefined && this.#options.keepUnset === true ? `$${name}` : (value ?? '')
  }

  #readBraced(): string {
    if (++this.#depth > DEEPEST) throw new SyntaxFailure('syntax error: substitutions are nested too deeply')
    this.#at++
    if (this.#peek === undefined) throw new SyntaxFailure("syntax error: missing '}'")
    const name = this.#readName()
    if (name === '') throw new SyntaxFailure('syntax error: bad substitution')
    const text = this.#readModified(name)
    this.#depth--
    return text
  }

  #readModified(name: string): string {
    const modifier = this.#characters[this.#at++]
    switch (modifier) {
      case undefined:
        throw new SyntaxFailure("syntax error: missing '}'")
      case '}': {
        const value = this.#value(name)
        return value === undefined && this.#options.keepUnset === true ? `\${${name}}` : (value ?? '')
      }
      case ':':
        return this.#readDefault(name, this.#characters[this.#at++] ?? '', true)
      case '-':
      case '+':
      case '?':
        return this.#readDefault(name, modifier, false)
      case '#':
      case '%':
        return this.#readTrim(name, modifier)
      case '/':
        return this.#readReplace(name)
      default:
        throw new SyntaxFailure(`unsupported modifier (${modifier}) in substitution`)
    }
  }

  /** `${v:-w}` and its kin; with `colon` an empty value counts as unset. */
  #readDefault(name: string, modifier: string, colon: boolean): string {
    const shown = `${colon ? ':' : ''}${modifier}`
    if (modifier === '') throw new SyntaxFailure("syntax error: missing '}'")
    if (!['-', '+', '?'].includes(modifier))
      throw new SyntaxFailure(`unsupported modifier (${shown}) in substitution`)
    const word = this.readUntil('}', false).text
    const value = this.#value(name)
    if (value === undefined && this.#options.keepUnset === true) return `\${${name}${shown}${word}}`
    const set = value !== undefined && !(colon && value === '')
    if (modifier === '-') return set ? value : word
    if (modifier === '+') return set ? word : ''
    if (set) return value
    const reason = value === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty'
    throw new SyntaxFailure(`${name}: ${word === '' ? reason : word}`)
  }

  #readTrim(name: string, modifier: '#' | '%'): string {
    const greedy = this.#peek === modifier
    if (greedy) this.#at++
    const pattern = this.readUntil('}', true).text
    const value = this.#value(name)
    if (value === undefined && this.#options.keepUnset === true)
      return `\${${name}${modifier}${greedy ? modifier : ''}${pattern}}`
    return (modifier === '#' ? trimPrefix : trimSuffix)(pattern, value ?? '', greedy)
  }

  #readReplace(name: string): string {
    const all = this.#peek === '/'
    if (all) this.#at++
    const pattern = this.readUntil('/', true).text
    const replacement = this.readUntil('}', true).text
    const value = this.#value(name)
    if (value === undefined && this.#options.keepUnset === true)
      return `\${${name}/${all ? '/' : ''}${pattern}/${replacement}}`
    return replacePattern(pattern, value ?? '', replacement, all)
  }

  /** A name, a number (a positional parameter, never set) or one special parameter; empty if none is here. */
  #readName(): string {
    const first = this.#peek
    if (first === undefined) return ''
    const member = /\p{Nd}/u.test(first) ? /^\p{Nd}$/u : /^[\p{L}\p{Nd}_]$/u
    if (!member.test(first)) {
      if (!'@*#?-$!'.includes(first)) return ''
      this.#at++
      return first
    }
    let name = ''
    for (let c = this.#peek; c !== undefined && member.test(c); c = this.#peek) {
      name += c
      this.#at++
    }
    return name
  }

  #value(name: string): string | undefined {
    const value = this.#lookup(name)
    ;(value === undefined ? this.missing : this.used).add(name)
    this.#taken += value?.length ?? 0
    if (this.#taken > LONGEST_RESULT) throw new SyntaxFailure('variables in it are more than a mebibyte')
    return value
  }
}
