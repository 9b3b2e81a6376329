import { join } from 'node:path'
import { isKind } from '#base/errors.ts'
import { Client } from '#client/client.ts'
import { addressOf } from '#client/endpoint.ts'
import { ClientConfig } from './client-config.ts'
import type { Command, Context } from './command.ts'
import { contextInUse, resolveTarget, type Target } from './connection.ts'
import { argumentsError, errorText, flagError, hasCode } from './errors.ts'
import { bool, list, parseFlags, string, type Values } from './flags.ts'
import { commandHelp, groupHelp, rootHelp, usageLine } from './help.ts'
import type { Io } from './io.ts'
import { findEntry, groups, type Entry } from './registry.ts'
import { Interrupts } from './interrupts.ts'
import { clientVersion } from './version.ts'

const globalFlags = {
  config: string('Directory of the client configuration', { shown: '"~/.docker"' }),
  context: string('Context to use; wins over BERTH_HOST and DOCKER_HOST', { short: 'c' }),
  debug: bool('Show where errors come from', { short: 'D' }),
  host: list('Address of the daemon', { short: 'H', shown: 'unix:///run/berth/berth.sock' }),
  'log-level': string('debug, info, warn, error or fatal', { short: 'l', initial: 'info' }),
  tls: bool('Use TLS'),
  tlscacert: string('Trust only certificates of this authority'),
  tlscert: string('Certificate of the client'),
  tlskey: string('Key of the client'),
  tlsverify: bool('Use TLS and verify the daemon'),
  version: bool('Print the version and leave', { short: 'v' }),
} as const

/** Runs one command line, without the program's name; returns the exit code. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let parsed
  try {
    parsed = parseFlags(globalFlags, argv, { interspersed: false })
  } catch (error) {
    io.stderr.write(`${errorText(error)}\nSee 'berth --help'.\n`)
    return 125
  }
  const { flags, args, help } = parsed
  if (flags.version) {
    io.stdout.write(`Berth version ${clientVersion.version}, build ${clientVersion.gitCommit}\n`)
    return 0
  }
  const [first, ...others] = args
  if (help || first === undefined) return show(io, rootHelp(globalFlags))
  if (first === 'help') return helpFor(others, io)
  return dispatch(args, flags, io)
}

async function dispatch(words: readonly string[], globals: Globals, io: Io): Promise<number> {
  const found = findEntry(words)
  if (found === undefined) return unknownCommand(words, io)
  const { entry, name } = found
  const command = await entry.load()
  const rest = words.slice(name.split(' ').length)
  try {
    return await runCommand({ entry, command, name, rest, globals, io })
  } catch (error) {
    return report(error, { name, command, globals, io })
  }
}

interface Call {
  readonly entry: Entry
  readonly command: Command
  readonly name: string
  readonly rest: readonly string[]
  readonly globals: Globals
  readonly io: Io
}

type Globals = Values<typeof globalFlags>

async function runCommand(call: Call): Promise<number> {
  const { entry, command, name, rest, globals, io } = call
  const { interspersed = true } = command
  const { flags, changed, args, help } = parseFlags(command.flags, rest, { interspersed })
  if (help) return show(io, commandHelp(name, entry, command))
  checkArguments(name, command, args)

  const directory = globals.config || io.env['DOCKER_CONFIG'] || join(io.home, '.docker')
  const config = new ClientConfig(directory)
  const inUse = contextInUse(globals, config, io.env)
  const target = command.local === true ? nobody : await resolveTarget(inUse, globals, config, io.env)
  using client = clientFor(target, config, io, entry.hidden !== true)
  using interrupts = new Interrupts(io)
  const context: Context = {
    io,
    client,
    config,
    name,
    context: inUse.name,
    inUse,
    signal: interrupts.signal,
    out: (text) => void io.stdout.write(text),
    err: (text) => void io.stderr.write(text),
  }
  try {
    return (await command.run({ args, flags, changed }, context)) ?? 0
  } catch (error) {
    // Whoever pressed Ctrl-C knows why it ended.
    if (interrupts.exitCode !== undefined) return interrupts.exitCode
    throw error
  }
}

/** For commands that talk to no engine. */
const nobody: Target = { endpoint: { kind: 'unix', path: '/nonexistent' }, isDefault: false }

function clientFor(target: Target, config: ClientConfig, io: Io, mayStart: boolean): Client {
  const { endpoint, isDefault } = target
  const startable = mayStart && isDefault && io.uid === 0 && endpoint.kind === 'unix'
  return new Client({
    endpoint,
    apiVersion: io.env['DOCKER_API_VERSION'] || undefined,
    headers: {
      'User-Agent': `berth/${clientVersion.version} (${process.platform})`,
      ...config.file.HttpHeaders,
    },
    dial:
      endpoint.kind === 'ssh' ? async () => (await import('./ssh-dial.ts')).dialSsh(endpoint, io) : undefined,
    onUnreachable: async () => {
      if (!startable) return false
      const { startDaemon } = await import('./start-daemon.ts')
      await startDaemon(addressOf(endpoint).slice('unix://'.length), io)
      return true
    },
  })
}

function checkArguments(name: string, command: Command, args: readonly string[]): void {
  const { min, max = Number.POSITIVE_INFINITY } = command
  if (args.length >= min && args.length <= max) return
  const plural = (count: number): string => `${count} argument${count === 1 ? '' : 's'}`
  const wanted =
    max === 0
      ? 'accepts no arguments'
      : min === max
        ? `requires ${plural(min)}`
        : max === Number.POSITIVE_INFINITY
          ? `requires at least ${plural(min)}`
          : min === 0
            ? `requires at most ${plural(max)}`
            : `requires at least ${min} and at most ${plural(max)}`
  throw argumentsError(`berth: 'berth ${name}' ${wanted}`)
}

interface Failure {
  readonly name: string
  readonly command: Command
  readonly globals: Globals
  readonly io: Io
}

/** Prints what went wrong and returns the exit code that goes with it. */
function report(error: unknown, { name, command, globals, io }: Failure): number {
  if (globals.debug && error instanceof Error) io.stderr.write(`${error.stack ?? ''}\n`)
  const text = errorText(error)
  if (hasCode(error, 'FLAG_INVALID')) {
    io.stderr.write(`${text}\n\n${usageLine(name, command)}\n\nSee 'berth ${name} --help'.\n`)
    return 125
  }
  if (hasCode(error, 'ARGUMENTS_INVALID')) {
    io.stderr.write(
      `${text}\n\n${usageLine(name, command)}\n\nSee 'berth ${name} --help' for more information\n`,
    )
    return 1
  }
  io.stderr.write(`${text}\n`)
  if (hasCode(error, 'TEMPLATE_INVALID')) return 64
  return isKind(error, 'cancelled') ? 130 : 1
}

async function helpFor(words: readonly string[], io: Io): Promise<number> {
  const [first] = words
  if (first === undefined) return show(io, rootHelp(globalFlags))
  const found = findEntry(words)
  if (found === undefined) {
    return groups[first] === undefined ? unknownCommand(words, io) : show(io, groupHelp(first))
  }
  return show(io, commandHelp(found.name, found.entry, await found.entry.load()))
}

/** A group without a command shows its help; anything else is a mistake. */
function unknownCommand(words: readonly string[], io: Io): number {
  const [first = '', second] = words
  if (groups[first] !== undefined && (second === undefined || second === '--help' || second === '-h')) {
    return show(io, groupHelp(first))
  }
  if (groups[first] !== undefined && second?.startsWith('-') === true) {
    io.stderr.write(`${flagError(`unknown flag: ${second}`).message}\nSee 'berth ${first} --help'.\n`)
    return 125
  }
  const name = groups[first] === undefined ? first : `${first} ${second}`
  const where = groups[first] === undefined ? 'berth --help' : `berth ${first} --help`
  io.stderr.write(`berth: unknown command: berth ${name}\n\nRun '${where}' for more information\n`)
  return 1
}

function show(io: Io, text: string): number {
  io.stdout.write(text)
  return 0
}
