import { join } from 'node:path'
import { isKind } from '#base/errors.ts'
import { Client } from '#client/client.ts'
import { addressOf } from '#client/endpoint.ts'
import { checkArguments } from './arguments.ts'
import { ClientConfig } from './client-config.ts'
import type { Command, Context } from './command.ts'
import { contextInUse, resolveTarget, type Target } from './connection.ts'
import { customHeaders } from './custom-headers.ts'
import { errorText, hasCode } from './errors.ts'
import { parseFlags } from './flags.ts'
import type { Globals } from './global-flags.ts'
import { commandHelp, usageLine } from './help.ts'
import { Interrupts } from './interrupts.ts'
import type { Io } from './io.ts'
import type { Entry } from './registry.ts'
import { clientVersion } from './version.ts'

export interface Call {
  readonly entry: Entry
  readonly command: Command
  readonly name: string
  readonly rest: readonly string[]
  readonly globals: Globals
  readonly io: Io
}

/** Parses what follows the command's name and runs it; returns the exit code. */
export async function runCommand(call: Call): Promise<number> {
  const { entry, command, name, rest, globals, io } = call
  const { interspersed = true } = command
  const { flags, changed, args, help } = parseFlags(command.flags, rest, { interspersed })
  if (help) {
    io.stdout.write(commandHelp(name, entry, command))
    return 0
  }
  checkArguments(name, command, args)

  const config = configOf(globals, io)
  const inUse = contextInUse(globals, config, io.env)
  const target = command.local === true ? nobody : await resolveTarget(inUse, globals, config, io.env)
  using interrupts = new Interrupts(io)
  const interrupted = command.keepsRequests === true ? undefined : interrupts.signal
  using client = clientFor(target, config, { io, mayStart: entry.hidden !== true, interrupted })
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

/** The configuration that the flags and the environment name. */
export function configOf(globals: Pick<Globals, 'config'>, io: Io): ClientConfig {
  return new ClientConfig(globals.config || io.env['DOCKER_CONFIG'] || join(io.home, '.docker'))
}

/** For commands that talk to no engine. */
const nobody: Target = { endpoint: { kind: 'unix', path: '/nonexistent' }, isDefault: false }

interface Caller {
  readonly io: Io
  /** Whether the command may start an engine when there is none. */
  readonly mayStart: boolean
  readonly interrupted: AbortSignal | undefined
}

function clientFor(target: Target, config: ClientConfig, caller: Caller): Client {
  const { endpoint, isDefault } = target
  const { io, mayStart, interrupted } = caller
  const startable = mayStart && isDefault && io.uid === 0 && endpoint.kind === 'unix'
  return new Client({
    endpoint,
    apiVersion: io.env['DOCKER_API_VERSION'] || undefined,
    interrupted,
    headers: {
      'User-Agent': `berth/${clientVersion.version} (${process.platform})`,
      ...config.file.HttpHeaders,
      ...customHeaders(io.env['DOCKER_CUSTOM_HEADERS']),
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

interface Failure {
  readonly name: string
  readonly command: Command
  readonly globals: Globals
  readonly io: Io
}

/** Prints what went wrong and returns the exit code that goes with it. */
export function report(error: unknown, { name, command, globals, io }: Failure): number {
  if (globals.debug && error instanceof Error) io.stderr.write(`${error.stack ?? ''}\n`)
  const text = errorText(error)
  if (hasCode(error, 'FLAG_INVALID')) {
    io.stderr.write(
      `${text}\n\n${usageLine(name, command)}\n\nRun 'berth ${name} --help' for more information\n`,
    )
    return 125
  }
  if (hasCode(error, 'ARGUMENTS_INVALID')) {
    io.stderr.write(
      `${text}\n\n${usageLine(name, command)}\n\nRun 'berth ${name} --help' for more information\n`,
    )
    return 1
  }
  io.stderr.write(`${text}\n`)
  if (hasCode(error, 'TEMPLATE_INVALID')) return 64
  return isKind(error, 'cancelled') ? 130 : 1
}
