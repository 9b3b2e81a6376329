import { skipSpace, trimSpace } from './characters.ts'
import { type Directive, escapeOf, readDirectives } from './directives.ts'
import { dockerfileError, locating } from './failure.ts'
import { type Heredoc, heredocsOf, type HeredocStart } from './heredoc.ts'
import type { Range, Source } from './source.ts'

/** One instruction's line, with continuations joined and comments removed, that knows where its characters were. */
export class Line {
  readonly source: Source
  readonly text: string
  readonly heredocs: readonly Heredoc[]
  /** Comments above it since the last instruction or empty comment, without `#`. */
  readonly comments: readonly string[]
  /** Lines with nothing but blanks inside its continuations. */
  readonly emptyContinuations: readonly Range[]
  readonly #pieces: readonly Piece[]
  readonly #starts: readonly number[]

  constructor(parts: LineParts) {
    this.source = parts.source
    this.text = parts.pieces.map(({ text }) => text).join('')
    this.heredocs = parts.heredocs
    this.comments = parts.comments
    this.emptyContinuations = parts.emptyContinuations
    this.#pieces = parts.pieces.filter(({ text }, i) => i === 0 || text !== '')
    let before = 0
    this.#starts = this.#pieces.map(({ text }) => (before += text.length) - text.length)
  }

  /** Where the characters from `start` up to `end` of the text are in the file. */
  range(start: number, end: number): Range {
    const last = this.#offset(Math.max(start, end - 1))
    return this.source.range(this.#offset(start), end > start ? last + 1 : last)
  }

  /** The whole with its heredocs. */
  get whole(): Range {
    const body = this.range(0, this.text.length)
    const after = this.heredocs.at(-1)?.range.end
    return after === undefined ? body : { start: body.start, end: this.source.lineRange(after.line).end }
  }

  #offset(at: number): number {
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#starts[middle] ?? 0) <= at) low = middle
      else high = middle - 1
    }
    return (this.#pieces[low]?.offset ?? 0) + at - (this.#starts[low] ?? 0)
  }
}

interface Piece {
  readonly text: string
  readonly offset: number
}

interface LineParts {
  readonly source: Source
  readonly pieces: readonly Piece[]
  readonly heredocs: readonly Heredoc[]
  readonly comments: readonly string[]
  readonly emptyContinuations: readonly Range[]
}

export interface Lexed {
  readonly directives: readonly Directive[]
  readonly escape: '\\' | '`'
  readonly lines: readonly Line[]
}

/** Docker's limit for one line, in bytes. */
const LONGEST_LINE = 65_535

/** Takes a Dockerfile apart into directives and the lines of its instructions. Throws EngineErrors. */
export function lex(source: Source): Lexed {
  const top = source.lineRange(1)
  const directives = locating(source, top, () => readDirectives(source))
  const escape = locating(source, top, () => escapeOf(directives))
  return { directives, escape, lines: [...new Lexer(source, escape, headOf(source, directives)).lines()] }
}

/** The last line that is no comment although it begins like one: a directive, or `#!`. */
function headOf(source: Source, directives: readonly Directive[]): number {
  return directives.at(-1)?.range.start.line ?? (/^\ufeff?#!/.test(source.line(1)) ? 1 : 0)
}

class Lexer {
  readonly #source: Source
  readonly #escape: string
  readonly #head: number
  #line = 0

  constructor(source: Source, escape: string, head: number) {
    this.#source = source
    this.#escape = escape
    this.#head = head
  }

  *lines(): Generator<Line> {
    let comments: string[] = []
    for (let piece = this.#next(); piece !== undefined; piece = this.#next()) {
      const start = skipSpace(piece.text, 0)
      const text = piece.text.slice(start)
      if (text.startsWith('#')) {
        const comment = trimSpace(text.slice(1))
        if (comment === '') comments = []
        else if (this.#line > this.#head) comments.push(comment)
      } else if (text !== '') {
        yield this.#instruction({ text, offset: piece.offset + start }, comments)
        comments = []
      }
    }
  }

  /** Joins an instruction's lines, from its first one on, and reads its heredocs. */
  #instruction(first: Piece, comments: readonly string[]): Line {
    const startLine = this.#line
    const emptyContinuations: Range[] = []
    const pieces = [withoutContinuation(first, this.#escape)]
    let open = pieces[0] !== first
    while (open) {
      const piece = this.#next()
      if (piece === undefined) break
      const at = skipSpace(piece.text, 0)
      if (piece.text.charAt(at) === '#') continue
      if (at === piece.text.length) emptyContinuations.push(this.#source.lineRange(this.#line))
      else {
        const content = withoutContinuation(piece, this.#escape)
        pieces.push(content)
        open = content !== piece
      }
    }
    const parts = { source: this.#source, pieces, comments, emptyContinuations, heredocs: [] }
    const line = new Line(parts)
    const heredocs = locating(this.#source, line.whole, () => heredocsOf(line.text))
    if (heredocs.length === 0) return line
    return new Line({ ...parts, heredocs: heredocs.map((start) => this.#heredoc(start, startLine)) })
  }

  #heredoc(start: HeredocStart, startLine: number): Heredoc {
    const firstLine = this.#line + 1
    for (let piece = this.#next(); piece !== undefined; piece = this.#next()) {
      const name = start.chomp ? piece.text.replace(/^\t+/, '') : piece.text
      if (name !== start.name) continue
      const [from, to] = [this.#source.start(firstLine), this.#source.start(this.#line)]
      return { ...start, content: this.#source.text.slice(from, to), range: this.#source.range(from, to) }
    }
    const range = this.#source.lineRange(startLine)
    const hint = `End it with a line that is only ${start.name}.`
    throw dockerfileError(this.#source, range, 'unterminated heredoc', hint)
  }

  /** The next line of the file without its ending and, in the first, without the byte order mark. */
  #next(): Piece | undefined {
    if (this.#line >= this.#source.lines) return undefined
    const number = ++this.#line
    let offset = this.#source.start(number)
    if (number === this.#source.lines && offset === this.#source.text.length) return undefined
    let text = this.#source.line(number)
    if (number === 1 && text.startsWith('\ufeff')) [text, offset] = [text.slice(1), offset + 1]
    if (text.length * 3 > LONGEST_LINE && Buffer.byteLength(text) > LONGEST_LINE) {
      const message = `dockerfile line greater than max allowed size of ${LONGEST_LINE}`
      const range = { start: { line: number, column: 1 }, end: { line: number, column: 2 } }
      throw dockerfileError(
        this.#source,
        range,
        message,
        'Break it with a continuation or put it into a file.',
      )
    }
    return { text, offset }
  }
}

/** The same piece if its line does not continue; a doubled escape at its end is no continuation. */
function withoutContinuation(piece: Piece, escape: string): Piece {
  const { text, offset } = piece
  let end = text.length
  while (end > 0 && ' \t'.includes(text.charAt(end - 1))) end--
  if (text.charAt(end - 1) !== escape || end === 0) return piece
  if (end > 1 && text.charAt(end - 2) === escape) return piece
  return { text: text.slice(0, end - 1), offset }
}
