import { trimSpace } from './characters.ts'
import { SyntaxFailure } from './failure.ts'
import type { CommandLine, Flag, InstructionBase, Word } from './instruction.ts'
import type { Line } from './lexer.ts'
import { type Command, readJsonArray, type Span, splitAtBlanks, splitCommand, splitQuoted } from './words.ts'

/** An instruction's line with its parts found: what the readers of the instructions work on. */
export class Statement {
  readonly line: Line
  readonly escape: '\\' | '`'
  readonly command: Command
  readonly flags: readonly Flag[]
  /** Lower case. */
  readonly name: string

  /** `from`: where in the line the instruction begins, for the one behind ONBUILD. */
  constructor(line: Line, escape: '\\' | '`', from = 0) {
    this.line = line
    this.escape = escape
    this.command = splitCommand(line.text, from)
    this.name = this.command.keyword.text.toLowerCase()
    this.flags = this.command.flags.map((flag) => this.#flag(flag))
  }

  /** Upper case, for messages. */
  get title(): string {
    return this.name.toUpperCase()
  }

  /** All behind the flags, as it is. */
  get rest(): string {
    return this.command.rest.text
  }

  /** The members of a JSON array of strings; undefined in any other form. */
  get json(): readonly string[] | undefined {
    return readJsonArray(this.rest)
  }

  get commandLine(): CommandLine {
    const args = this.json
    return args === undefined ? { form: 'shell', text: this.rest } : { form: 'exec', args }
  }

  blankWords(): readonly Word[] {
    return splitAtBlanks(this.line.text, this.command.rest).map((span) => this.#word(span))
  }

  quotedWords(): readonly Word[] {
    return splitQuoted(this.line.text, this.command.rest, this.escape).map((span) => this.#word(span))
  }

  restWords(): readonly Word[] {
    return this.rest === '' ? [] : [this.#word(this.command.rest)]
  }

  base(args: readonly Word[]): InstructionBase {
    const { line, command } = this
    return {
      keyword: this.#word(command.keyword),
      text: trimSpace(line.text.slice(command.keyword.start)),
      range: line.whole,
      flags: this.flags,
      args,
      comments: line.comments,
      emptyContinuations: line.emptyContinuations,
    }
  }

  /** The failure of an instruction as a whole. */
  failure(message: string, hint?: string): SyntaxFailure {
    return new SyntaxFailure(message, { range: this.line.whole, ...(hint === undefined ? {} : { hint }) })
  }

  #word({ text, start, end }: Span): Word {
    return { text, range: this.line.range(start, end) }
  }

  #flag({ text, start, end }: Span): Flag {
    const at = text.indexOf('=')
    const range = this.line.range(start, end)
    if (at === -1) return { name: text.slice(2), value: undefined, range }
    return { name: text.slice(2, at), value: text.slice(at + 1), range }
  }
}
