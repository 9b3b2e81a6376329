import { isSpace, skipSpace, spaceEnd } from './characters.ts'
import { SyntaxFailure } from './failure.ts'

/** Part of an instruction's line; `start` and `end` are offsets in it. */
export interface Span {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** An instruction's line taken apart: `KEYWORD --flag=value … rest`. */
export interface Command {
  readonly keyword: Span
  readonly flags: readonly Span[]
  readonly rest: Span
}

const BLANK = /[\t\v\f\r ]/

/** Splits off keyword and flags. Quotes and backslashes in flags are resolved; `--` ends flags. */
export function splitCommand(line: string, from = 0): Command {
  const start = skipSpace(line, from)
  const end = Math.max(start, spaceEnd(line))
  const keywordEnd = wordEnd(line, start, end)
  const keyword = span(line, start, keywordEnd)
  const flags: Span[] = []
  let at = keywordEnd
  for (;;) {
    at = Math.min(skipSpace(line, at), end)
    if (!line.startsWith('--', at) || at >= end) break
    const flag = readFlag(line, at, end)
    at = flag.end
    if (flag.text === '--') break
    flags.push(flag)
  }
  const restStart = Math.min(skipSpace(line, at), end)
  return { keyword, flags, rest: span(line, restStart, end) }
}

/** Words between blanks; quotes and escapes mean nothing. */
export function splitAtBlanks(line: string, { start, end }: Span): Span[] {
  const words: Span[] = []
  let at = start
  while (at < end) {
    const stop = wordEnd(line, at, end)
    if (stop > at) words.push(span(line, at, stop))
    at = stop + 1
  }
  return words
}

/** Words between spaces; quotes hold words together and stay, as do escapes. */
export function splitQuoted(line: string, { start, end }: Span, escape: string): Span[] {
  const words: Span[] = []
  let at = start
  for (;;) {
    at = skipSpace(line, at)
    if (at >= end) return words
    const stop = quotedEnd(line, at, end, escape)
    // An escape with nothing behind it is dropped.
    const dangling = stop.dangling ? 1 : 0
    if (stop.at - dangling > at) words.push(span(line, at, stop.at - dangling))
    at = stop.at
  }
}

/**
 * The JSON array of strings that `text` is, undefined when it is something else and so shell form. An array with
 * other members is an error: nobody means that.
 */
export function readJsonArray(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined
    throw error
  }
  if (!Array.isArray(value)) return undefined
  return value.map((member: unknown) => {
    if (typeof member === 'string') return member.toWellFormed()
    throw new SyntaxFailure('when using JSON array syntax, arrays must be comprised of strings only', {
      hint: 'Put every member into double quotes.',
    })
  })
}

function span(line: string, start: number, end: number): Span {
  return { text: line.slice(start, end), start, end }
}

function wordEnd(line: string, start: number, end: number): number {
  let at = start
  while (at < end && !BLANK.test(line.charAt(at))) at++
  return at
}

function readFlag(line: string, start: number, end: number): Span {
  const out: string[] = []
  let quote = ''
  let at = start
  for (; at < end; at++) {
    let c = line.charAt(at)
    if (quote === '' && isSpace(c)) break
    if (quote === '' ? c === '"' || c === "'" : c === quote) {
      quote = quote === '' ? c : ''
      continue
    }
    if (c === '\\') {
      if (at + 1 >= end) continue
      c = line.charAt(++at)
    }
    out.push(c)
  }
  return { text: out.join(''), start, end: at }
}

function quotedEnd(
  line: string,
  start: number,
  end: number,
  escape: string,
): { at: number; dangling: boolean } {
  let quote = ''
  let at = start
  while (at < end) {
    const c = line.charAt(at)
    if (quote === '' && isSpace(c)) break
    if (c === escape && quote !== "'") {
      if (at + 1 >= end) return { at: end, dangling: true }
      at += 2
      continue
    }
    if (quote === '' && (c === '"' || c === "'")) quote = c
    else if (c === quote) quote = ''
    at++
  }
  return { at: Math.min(at, end), dangling: false }
}
