/** The program `berth-registry`: finds the command, parses its options, prints help and failures. */
import { parseArgs } from 'node:util'
import { engineErrorOf, messageOf } from '#base/errors.ts'
import {
  type CommandInvocation,
  type CommandIo,
  type RegistryCommand,
  usageError,
} from './commands/command.ts'
import { commands } from './commands/commands.ts'

const PROGRAM = 'berth registry'

/** Runs one command line, without the program's name; returns the exit code. */
export async function main(argv: readonly string[], io: CommandIo): Promise<number> {
  const found = findCommand(argv)
  try {
    if (found === undefined) return await usage(argv, io)
    const { name, rest } = found
    const command = await found.load()
    if (rest.includes('--help') || rest.includes('-h')) {
      io.out(commandHelp(name, command))
      return 0
    }
    return (await command.run(parse(name, command, rest), io)) ?? 0
  } catch (error) {
    if (io.signal.aborted && engineErrorOf(error)?.kind === 'cancelled') return 130
    io.err(`${PROGRAM}: ${messageOf(error)}\n`)
    if (engineErrorOf(error) === undefined && error instanceof Error) io.err(`${error.stack}\n`)
    return 1
  }
}

interface Found {
  readonly name: string
  readonly rest: readonly string[]
  readonly load: () => Promise<RegistryCommand>
}

/** The longest words that name a command: `user add` before `user`. */
function findCommand(argv: readonly string[]): Found | undefined {
  for (const length of [2, 1]) {
    const name = argv.slice(0, length).join(' ')
    const load = argv.length >= length ? commands[name] : undefined
    if (load !== undefined) return { name, rest: argv.slice(length), load }
  }
  return undefined
}

function parse(name: string, command: RegistryCommand, rest: readonly string[]): CommandInvocation {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([key, { kind, short }]) => [
      key,
      {
        type: kind === 'switch' ? ('boolean' as const) : ('string' as const),
        multiple: kind !== 'switch',
        ...(short === undefined ? {} : { short }),
      },
    ]),
  )
  let parsed
  try {
    parsed = parseArgs({ args: [...rest], options, allowPositionals: true, strict: true })
  } catch (error) {
    throw wrongArguments(name, messageOf(error).split('. ')[0] ?? '', error)
  }
  const { values, positionals } = parsed
  if (positionals.length < command.min || positionals.length > command.max) {
    throw wrongArguments(name, `usage: ${PROGRAM} ${name} ${command.usage}`)
  }
  return { args: positionals, options: values as CommandInvocation['options'] }
}

function wrongArguments(name: string, why: string, cause?: unknown): Error {
  return usageError(`${why}\nSee '${PROGRAM} ${name} --help'.`, cause)
}

async function usage(argv: readonly string[], io: CommandIo): Promise<number> {
  const [first] = argv
  const asked = first === undefined || ['help', '--help', '-h'].includes(first)
  if (
    !asked &&
    !first.startsWith('-') &&
    !Object.keys(commands).some((name) => name.startsWith(`${first} `))
  ) {
    io.err(`${PROGRAM}: unknown command: ${first}\n`)
  }
  const rows: string[] = []
  const width = Math.max(...Object.keys(commands).map(({ length }) => length))
  for (const [name, load] of Object.entries(commands)) {
    rows.push(`  ${name.padEnd(width)}  ${(await load()).summary}\n`)
  }
  const text = `Usage:  ${PROGRAM} COMMAND

A registry of images: what Docker's clients and all others of the OCI distribution-spec pull from and push to.

Commands:
${rows.join('')}
Run '${PROGRAM} COMMAND --help' for its options.
`
  if (asked) io.out(text)
  else io.err(text)
  return asked ? 0 : 1
}

function commandHelp(name: string, { usage: line, summary, options, more }: RegistryCommand): string {
  const entries = Object.entries(options).map(([key, { kind, value, short, help }]) => ({
    option: `${short === undefined ? '' : `-${short}, `}--${key}${kind === 'switch' ? '' : ` ${value ?? 'TEXT'}`}`,
    text: help,
  }))
  const width = Math.max(0, ...entries.map(({ option }) => option.length))
  const rows = entries.map(({ option, text }) => `  ${option.padEnd(width)}  ${text}\n`).join('')
  return `Usage:  ${PROGRAM} ${name} ${line}

${summary}
${rows === '' ? '' : `\nOptions:\n${rows}`}${more === undefined ? '' : `\n${more}`}`
}
