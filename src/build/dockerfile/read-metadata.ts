import { SyntaxFailure } from './failure.ts'
import { Flags } from './flags.ts'
import type {
  Arg,
  Env,
  Expose,
  From,
  InstructionBase,
  Label,
  Pair,
  TextInstruction,
  Volume,
  Word,
} from './instruction.ts'
import { trimSpace } from './characters.ts'
import type { Statement } from './statement.ts'

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/

export function readFrom(statement: Statement): From {
  const words = statement.blankWords()
  const [image, as, written] = words
  const named = words.length === 3 && as?.text.toLowerCase() === 'as'
  if (image === undefined || (words.length !== 1 && !named))
    throw statement.failure(
      'FROM requires either one or three arguments',
      'Write FROM image, or FROM image AS name.',
    )
  const name = written?.text.toLowerCase()
  if (written !== undefined && !STAGE_NAME.test(name ?? ''))
    throw new SyntaxFailure(
      `invalid name for build stage: ${JSON.stringify(written.text)}, name can't start with a number or contain symbols`,
      { range: written.range },
    )
  const flags = new Flags(statement.flags, { platform: 'text' })
  const platform = flags.text('platform')
  return { ...statement.base(words), kind: 'from', image: image.text, platform, name }
}

export function readPairs(statement: Statement, kind: 'env' | 'label'): Env | Label {
  void new Flags(statement.flags, {})
  const words = statement.quotedWords()
  const [first] = words
  if (first === undefined)
    throw statement.failure(`${statement.title} requires at least one argument`, pairHint(statement))
  if (!first.text.includes('='))
    return { ...statement.base(words), kind, legacy: true, pairs: [legacyPair(statement)] }
  const pairs = words.map((word) => readPair(statement, word))
  return { ...statement.base(words), kind, legacy: false, pairs }
}

export function readArg(statement: Statement): Arg {
  void new Flags(statement.flags, {})
  const words = statement.quotedWords()
  if (words.length === 0)
    throw statement.failure('ARG requires at least one argument', 'Write ARG name or ARG name=default.')
  const declarations = words.map(({ text, range }) => {
    const at = text.indexOf('=')
    if (at === 0) throw new SyntaxFailure('ARG names can not be blank', { range })
    const name = at === -1 ? text : text.slice(0, at)
    const value = at === -1 ? undefined : text.slice(at + 1)
    return { name, value, description: descriptionOf(name, statement.line.comments) }
  })
  return { ...statement.base(words), kind: 'arg', declarations }
}

/** What a comment `# name text` says about an argument or stage. */
export function descriptionOf(name: string | undefined, comments: readonly string[]): string | undefined {
  if (name === undefined) return undefined
  return comments.find((comment) => comment.startsWith(`${name} `))?.slice(name.length + 1)
}

export function readExpose(statement: Statement): Expose {
  void new Flags(statement.flags, {})
  const words = statement.blankWords()
  if (words.length === 0)
    throw statement.failure('EXPOSE requires at least one argument', 'Write EXPOSE port[/protocol].')
  return { ...statement.base(words), kind: 'expose', ports: words.map(({ text }) => text) }
}

export function readVolume(statement: Statement): Volume {
  void new Flags(statement.flags, {})
  const { json } = statement
  const words = json === undefined ? statement.blankWords() : statement.restWords()
  const paths = (json ?? words.map(({ text }) => text)).map(trimSpace)
  if (paths.length === 0)
    throw statement.failure('VOLUME requires at least one argument', 'Write VOLUME /path.')
  if (paths.includes('')) throw statement.failure('VOLUME specified can not be an empty string')
  return { ...statement.base(words), kind: 'volume', form: json === undefined ? 'shell' : 'exec', paths }
}

export function readText(statement: Statement, kind: TextInstruction['kind']): TextInstruction {
  void new Flags(statement.flags, {})
  if (statement.rest === '') throw statement.failure(`${statement.title} requires exactly one argument`)
  const base: InstructionBase = statement.base(statement.restWords())
  return { ...base, kind, value: statement.rest }
}

function readPair(statement: Statement, { text, range }: Word): Pair {
  const at = text.indexOf('=')
  if (at === -1)
    throw new SyntaxFailure(
      `Syntax error - can't find = in ${JSON.stringify(text)}. Must be of the form: name=value`,
      { range, hint: 'Put a value with blanks into quotes.' },
    )
  if (at === 0) throw new SyntaxFailure(`${statement.title} names can not be blank`, { range })
  return { key: text.slice(0, at), value: text.slice(at + 1) }
}

/** `ENV key value`: all behind the first blank is the value. */
function legacyPair(statement: Statement): Pair {
  const match = /^([^\t\v\f\r ]+)[\t\v\f\r ]+([^]*)$/.exec(statement.rest)
  if (match === null)
    throw statement.failure(`${statement.title} must have two arguments`, pairHint(statement))
  return { key: match[1] ?? '', value: match[2] ?? '' }
}

function pairHint({ title }: Statement): string {
  return `Write ${title} key=value.`
}
