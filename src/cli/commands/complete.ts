import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { command, type Command, type Context } from '../command.ts'
import { ContextStore, type ContextDocument } from '../contexts/context-store.ts'
import { CredentialStore } from '../credentials/credential-store.ts'
import { cut, type Completion, type Flag, type Flags } from '../flags.ts'
import { pluginFor } from '../foreign-command.ts'
import { installedPlugins } from '../plugins/plugins.ts'
import { entries, findEntry, groups } from '../registry.ts'

/** What stands where a shell should complete file names. */
const FILES = ':files'

export default command({
  usage: '-- WORD...',
  summary: 'Answer a completion script: the words so far, the last of them unfinished',
  min: 0,
  interspersed: false,
  flags: {},
  async run({ args }, context) {
    const words = args.slice(0, -1)
    const last = args.at(-1) ?? ''
    const found = await candidates(words, last, context)
    const fitting = found.filter(([text]) => text === FILES || text.startsWith(last))
    context.out(fitting.map(([text, about]) => `${text}${about === '' ? '' : `\t${about}`}\n`).join(''))
  },
})

type Candidate = readonly [text: string, about: string]

async function candidates(words: readonly string[], last: string, context: Context): Promise<Candidate[]> {
  const found = findEntry(words)
  if (found === undefined) {
    const foreign = pluginFor(words, context)
    if (foreign !== undefined) return pluginCandidates(foreign, last, context)
    return commandNames(words, context)
  }
  const called = await found.entry.load()
  const rest = words.slice(found.name.split(' ').length)
  const waiting = flagWaitingForValue(called.flags, rest.at(-1))
  if (waiting !== undefined) return valuesOf(waiting.completes, context)
  const [flag, value] = cut(last, '=')
  if (flag.startsWith('--') && value !== undefined) {
    const values = await valuesOf(called.flags[flag.slice(2)]?.completes, context)
    return values.map(([text, about]) => [text === FILES ? FILES : `${flag}=${text}`, about])
  }
  if (last.startsWith('-')) return flagNames(called.flags)
  return argumentsOf(called, rest, context)
}

function commandNames(words: readonly string[], context: Context): Candidate[] {
  const [group] = words
  const inGroup = group !== undefined && groups[group] !== undefined
  if (words.length > (inGroup ? 1 : 0)) return []
  const prefix = inGroup ? `${group} ` : ''
  const names = entries
    .filter(({ hidden }) => hidden !== true)
    .flatMap(({ names: all, summary }) => all.map((name) => [name, summary] as const))
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, summary]): Candidate => [name.slice(prefix.length), summary])
    .filter(([name]) => !name.includes(' '))
  if (inGroup) return names
  const plugins = installedPlugins(context).map(({ name }): Candidate => [name, ''])
  return [...names, ...Object.entries(groups), ...plugins]
}

/** A plugin answers as Docker's own command line does: a candidate a line, and at last a number after a colon. */
async function pluginCandidates(
  { plugin, args }: NonNullable<ReturnType<typeof pluginFor>>,
  last: string,
  { io }: Context,
): Promise<Candidate[]> {
  const { stdout } = await promisify(execFile)(plugin.path, ['__complete', plugin.name, ...args, last], {
    env: { ...io.env },
  })
  return stdout.split('\n').flatMap((line): Candidate[] => {
    const [text = '', about = ''] = line.split('\t')
    return text === '' || /^(:\d+$|Completion ended)/.test(line) ? [] : [[text, about]]
  })
}

function flagNames(flags: Flags): Candidate[] {
  return Object.entries(flags).flatMap(([name, { hidden, help }]) =>
    hidden === true ? [] : [[`--${name}`, help] as const],
  )
}

/** The flag that the word before is, when it still wants its value. */
function flagWaitingForValue(flags: Flags, word: string | undefined): Flag<unknown> | undefined {
  if (word === undefined || !word.startsWith('-') || word.includes('=')) return undefined
  const byName = word.startsWith('--') ? flags[word.slice(2)] : undefined
  const letter = word.at(-1)
  const flag =
    byName ?? (word.startsWith('--') ? undefined : Object.values(flags).find(({ short }) => short === letter))
  return flag?.isSwitch === false ? flag : undefined
}

async function argumentsOf(called: Command, rest: readonly string[], context: Context): Promise<Candidate[]> {
  const positional = rest.filter(
    (word, i) => !word.startsWith('-') && flagWaitingForValue(called.flags, rest[i - 1]) === undefined,
  )
  // What follows the first argument of run or exec is for the container, and not known here.
  if (called.interspersed === false && positional.length > 0) return [[FILES, '']]
  if (called.max !== undefined && positional.length >= called.max) return []
  return valuesOf(called.completes, context)
}

async function valuesOf(kind: Completion | undefined, context: Context): Promise<Candidate[]> {
  if (kind === undefined || kind === 'none') return []
  if (typeof kind !== 'string') return kind.map((text): Candidate => [text, ''])
  return live[kind](context)
}

/** What there is now, by kind. */
const live: Readonly<
  Record<Exclude<Completion, 'none' | readonly string[]>, (context: Context) => Promise<Candidate[]>>
> = {
  files: () => Promise.resolve([[FILES, '']]),
  containers: (context) => containers(context, true),
  running: (context) => containers(context, false),
  async images({ client }) {
    const list = await client.images.list()
    return list.flatMap(({ RepoTags }) => (RepoTags ?? []).map((tag): Candidate => [tag, '']))
  },
  async volumes({ client }) {
    const { Volumes } = await client.volumes.list()
    return (Volumes ?? []).map(({ Name, Driver }) => [Name ?? '', Driver ?? ''])
  },
  async networks({ client }) {
    const list = await client.networks.list()
    return list.map(({ Name, Driver }) => [Name ?? '', Driver ?? ''])
  },
  async contexts({ config }) {
    const documents = await new ContextStore(config).all()
    const about = ({ Description }: ContextDocument['Metadata']): string => Description ?? ''
    return [['default', ''], ...documents.map((each): Candidate => [each.Name, about(each.Metadata)])]
  },
  async execs({ client }) {
    const running = await client.containerQuery.list()
    const documents = await Promise.all(running.map(({ Id }) => client.containerQuery.inspect(Id ?? '')))
    return documents.flatMap(({ ExecIDs, Name }) =>
      (ExecIDs ?? []).map((id): Candidate => [id.slice(0, 12), (Name ?? '').replace(/^\//, '')]),
    )
  },
  async logins(context) {
    return (await new CredentialStore(context).servers()).map((server): Candidate => [server, ''])
  },
  async objects(context) {
    const kinds = [live.containers, live.images, live.networks, live.volumes]
    return (await Promise.all(kinds.map((kind) => kind(context)))).flat()
  },
}

async function containers({ client }: Context, all: boolean): Promise<Candidate[]> {
  const list = await client.containerQuery.list({ all })
  return list.map(({ Names, Id, Image }) => [(Names?.[0] ?? Id ?? '').replace(/^\//, ''), Image ?? ''])
}
