import { SyntaxFailure } from './failure.ts'
import { Flags } from './flags.ts'
import { heredocText, parseHeredocStart } from './heredoc.ts'
import type { Add, Copy, Document } from './instruction.ts'
import type { Statement } from './statement.ts'

const SHARED = { chown: 'text', chmod: 'text', link: 'switch', parents: 'switch', exclude: 'list' } as const

export function readCopy(statement: Statement): Copy {
  const { sources, base } = readSources(statement)
  const flags = new Flags(statement.flags, { from: 'text', ...SHARED })
  const from = flags.text('from')
  if (from !== undefined && /\$./.test(from))
    throw new SyntaxFailure(
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
      { range: flags.flag('from')?.range },
    )
  const shared = readShared(flags)
  return { ...base, kind: 'copy', ...sources, from: from === '' ? undefined : from, ...shared }
}

export function readAdd(statement: Statement): Add {
  const { sources, base } = readSources(statement)
  const flags = new Flags(statement.flags, {
    ...SHARED,
    checksum: 'text',
    unpack: 'switch',
    'keep-git-dir': 'switch',
  })
  return {
    ...base,
    kind: 'add',
    ...sources,
    ...readShared(flags),
    checksum: emptyAsNone(flags.text('checksum')),
    unpack: flags.switch('unpack'),
    keepGitDir: flags.switch('keep-git-dir') ?? false,
  }
}

function readShared(flags: Flags<keyof typeof SHARED>) {
  return {
    chown: emptyAsNone(flags.text('chown')),
    chmod: emptyAsNone(flags.text('chmod')),
    link: flags.switch('link') ?? false,
    parents: flags.switch('parents') ?? false,
    exclude: flags.list('exclude').map(({ value = '' }) => value),
  }
}

function readSources(statement: Statement) {
  const { json } = statement
  const words = json === undefined ? statement.blankWords() : statement.restWords()
  const paths = json ?? words.map(({ text }) => text)
  const destination = paths.at(-1)
  if (destination === undefined || paths.length < 2)
    throw statement.failure(
      `${statement.title} requires at least two arguments, but only one was provided. Destination could not be determined`,
      `Write ${statement.title} source... destination.`,
    )
  // A JSON array holds paths alone: there are no heredocs in this form.
  if (json !== undefined) return { base: statement.base(words), sources: result('exec', json, []) }
  const documents = statement.line.heredocs.map((heredoc): Document => {
    const { name, expand } = heredoc
    return { name, expand, content: heredocText(heredoc) }
  })
  const files = withoutAnnouncements(paths)
  if (files.at(-1) !== destination)
    throw statement.failure(`${statement.title} cannot accept a heredoc as a destination`)
  if (files.some((path) => APART.test(path)))
    throw statement.failure(`${statement.title} has a heredoc without a name`, 'Write <<EOF.')
  return { base: statement.base(words), sources: result('shell', files, documents) }
}

const APART = /^\d*<<-?$/

/** The words that announce no heredoc; `<< EOF` are two that do. */
function withoutAnnouncements(words: readonly string[]): readonly string[] {
  const paths: string[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    if (parseHeredocStart(word) !== undefined) continue
    const apart = APART.test(word) && parseHeredocStart(`${word} ${words[i + 1] ?? ''}`) !== undefined
    if (apart) i++
    else paths.push(word)
  }
  return paths
}

function result(form: 'exec' | 'shell', paths: readonly string[], documents: readonly Document[]) {
  return { form, sources: paths.slice(0, -1), documents, destination: paths.at(-1) ?? '' }
}

function emptyAsNone(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
