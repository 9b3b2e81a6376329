import { SyntaxFailure } from './failure.ts'
import { expandWord } from './expansion.ts'
import { readJsonArray, splitCommand } from './words.ts'
import type { Range } from './source.ts'

/** What announces a heredoc: `<<EOF`, `<<-EOF`, `3<<"EOF"`. */
export interface HeredocStart {
  readonly name: string
  readonly fileDescriptor: number
  /** `<<-`: tabs at the beginning of its lines are dropped. */
  readonly chomp: boolean
  /** Variables in it are expanded, because the name has no quotes. */
  readonly expand: boolean
}

export interface Heredoc extends HeredocStart {
  /** Its lines with their endings, as in the file (`chomp` not yet applied). */
  readonly content: string
  /** Of the content; the line with the name is not in it. */
  readonly range: Range
}

const HEREDOC = /^(\d*)<<(-?)\s*([^<]*)$/
const unset = (): undefined => undefined

/** The heredocs an instruction's line announces: in RUN, COPY, ADD and ONBUILD of those, not in JSON form. */
export function heredocsOf(line: string): readonly HeredocStart[] {
  if (!line.includes('<<')) return []
  let command = splitCommand(line)
  if (command.keyword.text.toLowerCase() === 'onbuild') command = splitCommand(line, command.rest.start)
  if (!['run', 'copy', 'add'].includes(command.keyword.text.toLowerCase())) return []
  if (readJsonArray(command.rest.text) !== undefined) return []
  return heredocWords(line).flatMap((word) => parseHeredocStart(word) ?? [])
}

/** Reads a word as a heredoc's announcement; undefined if it is none. */
export function parseHeredocStart(word: string): HeredocStart | undefined {
  const match = HEREDOC.exec(word)
  const written = match?.[3] ?? ''
  if (match === null || written === '') return undefined
  const plain = expandWord(written, unset, { keepUnset: true }).words
  const [name] = plain
  if (name === undefined || plain.length !== 1) return undefined
  const [raw = ''] = expandWord(written, unset, { keepUnset: true, keepQuotes: true }).words
  return {
    name,
    fileDescriptor: Number(match[1]),
    chomp: match[2] === '-',
    expand: quotesIn(name) === quotesIn(raw),
  }
}

/** A heredoc's text as a command or file gets it. */
export function heredocText({ content, chomp }: Heredoc): string {
  return chomp ? content.replaceAll(/^\t+/gm, '') : content
}

/** Words of a line with quotes and escapes kept; none when a quote is not closed, which is the shell's business. */
function heredocWords(line: string): readonly string[] {
  try {
    return expandWord(line, unset, { keepQuotes: true, keepEscapes: true, keepUnset: true, heredocs: true })
      .words
  } catch (error) {
    if (error instanceof SyntaxFailure) return []
    throw error
  }
}

function quotesIn(text: string): number {
  return text.split(/['"]/).length
}
