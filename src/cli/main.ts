import { errorText } from './errors.ts'
import { parseFlags } from './flags.ts'
import { globalFlags, type Globals } from './global-flags.ts'
import { commandHelp, groupHelp, rootHelp } from './help.ts'
import type { Io } from './io.ts'
import { findEntry, groups } from './registry.ts'
import { configOf, report, runCommand } from './run-command.ts'
import { clientVersion } from './version.ts'

/** Of logrus, which Docker's command line asks; ours says what it says whatever the level. */
const levels: readonly string[] = ['trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic']

/** Runs one command line, without the program's name; returns the exit code. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let parsed
  try {
    parsed = parseFlags(globalFlags, argv, { interspersed: false })
  } catch (error) {
    io.stderr.write(
      `${errorText(error)}\n\nUsage:  berth [OPTIONS] COMMAND [ARG...]\n\nRun 'berth --help' for more information\n`,
    )
    return 125
  }
  const { flags, args, help } = parsed
  if (flags.version) {
    io.stdout.write(`Berth version ${clientVersion.version}, build ${clientVersion.gitCommit}\n`)
    return 0
  }
  const [first, ...others] = args
  if (!levels.includes(flags['log-level'].toLowerCase())) {
    io.stderr.write(`Unable to parse logging level: ${flags['log-level']}\n`)
    return 1
  }
  if (help) return showRoot(flags, io, io.stdout)
  // Nobody has asked for it.
  if (first === undefined) return showRoot(flags, io, io.stderr)
  if (first === 'help') return helpFor(others, flags, io)
  return dispatch(args, flags, io)
}

async function dispatch(words: readonly string[], globals: Globals, io: Io): Promise<number> {
  const found = findEntry(words)
  if (found === undefined) {
    const { runForeign } = await import('./foreign-command.ts')
    return runForeign(words, globals, io)
  }
  const { entry, name } = found
  const command = await entry.load()
  const rest = words.slice(name.split(' ').length)
  try {
    return await runCommand({ entry, command, name, rest, globals, io })
  } catch (error) {
    return report(error, { name, command, globals, io })
  }
}

async function helpFor(words: readonly string[], globals: Globals, io: Io): Promise<number> {
  const [first] = words
  if (first === undefined) return showRoot(globals, io, io.stdout)
  const found = findEntry(words)
  if (found !== undefined) {
    return show(io, commandHelp(found.name, found.entry, await found.entry.load()))
  }
  if (groups[first] !== undefined && words.length === 1) return show(io, groupHelp(first))
  const { runForeign } = await import('./foreign-command.ts')
  return runForeign([...words, '--help'], globals, io)
}

async function showRoot(globals: Globals, io: Io, to: Io['stdout']): Promise<number> {
  const { describePlugins } = await import('./plugins/plugins.ts')
  const plugins = await describePlugins({ config: configOf(globals, io), io })
  to.write(rootHelp(globalFlags, plugins))
  return 0
}

function show(io: Io, text: string): number {
  io.stdout.write(text)
  return 0
}
