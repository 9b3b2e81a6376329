import { command, type Context, type Invocation } from '../command.ts'
import { didYouMean } from '#base/nearest.ts'
import { commandError, errorText, hasCode } from '../errors.ts'
import { parseFlags, type Flags } from '../flags.ts'
import { flagsHelp, rows } from '../help.ts'
import { checkArguments } from '../arguments.ts'
import { composeFlags, type ComposeFlags } from '../compose/flags.ts'
import { ProjectSource } from '../compose/project-source.ts'
import type { Subcommand } from '../compose/subcommand.ts'
import { findSubcommand, subcommands } from '../compose/table.ts'

export default command({
  usage: '[OPTIONS] COMMAND',
  summary: 'Run applications of several containers, described by a compose.yaml',
  min: 0,
  interspersed: false,
  keepsRequests: true,
  flags: composeFlags,
  sections: commandList,
  async run({ args, flags }, context) {
    const [first, ...rest] = args
    if (first === undefined || first === 'help') return showHelp(rest[0], context)
    const entry = findSubcommand(first)
    if (entry === undefined) {
      const near = didYouMean(
        first,
        subcommands.flatMap(({ names }) => names),
      )
      throw commandError(`unknown command: berth compose ${first}${near}; 'berth compose --help' lists them`)
    }
    if (flags.compatibility) {
      throw commandError(
        '--compatibility is not supported: names of containers have hyphens, as those of Compose 2',
      )
    }
    const subcommand = await entry.load()
    try {
      return await runSubcommand(first, subcommand, rest, { flags, context })
    } catch (error) {
      if (!hasCode(error, 'FLAG_INVALID') && !hasCode(error, 'ARGUMENTS_INVALID')) throw error
      context.err(
        `${errorText(error)}\n\n${usageOf(first, subcommand)}\n\nRun 'berth compose ${first} --help' for more information\n`,
      )
      return hasCode(error, 'FLAG_INVALID') ? 125 : 1
    }
  },
})

async function showHelp(name: string | undefined, context: Context): Promise<number> {
  const entry = name === undefined ? undefined : findSubcommand(name)
  if (name === undefined || entry === undefined) {
    context.out(
      `Usage:  berth compose [OPTIONS] COMMAND\n\n${commandList()}\n\nOptions:\n${flagsHelp(composeFlags)}\n`,
    )
    return 0
  }
  const subcommand = await entry.load()
  context.out(subcommandHelp(name, subcommand, { ...subcommand.flags, 'dry-run': composeFlags['dry-run'] }))
  return 0
}

function commandList(): string {
  return `Commands:\n${rows(subcommands.map(({ names, summary }) => [names[0] ?? '', summary]))}`
}

function usageOf(name: string, { usage }: Subcommand): string {
  return `Usage:  berth compose ${name} ${usage}`
}

async function runSubcommand(
  name: string,
  subcommand: Subcommand,
  rest: readonly string[],
  { flags: globals, context }: { readonly flags: ComposeFlags; readonly context: Context },
): Promise<number> {
  const { interspersed = true, min = 0, max } = subcommand
  const specs: Flags = { ...subcommand.flags, 'dry-run': composeFlags['dry-run'] }
  const { flags, changed, args, help } = parseFlags(specs, rest, { interspersed })
  if (help) {
    context.out(subcommandHelp(name, subcommand, specs))
    return 0
  }
  checkArguments(`compose ${name}`, { ...subcommand, min, ...(max === undefined ? {} : { max }) }, args)
  const dryRun = globals['dry-run'] || flags['dry-run'] === true
  const chosen = { ...globals, 'dry-run': dryRun }
  const source = new ProjectSource(chosen, context.io)
  const invocation: Invocation = { args, flags, changed }
  return (await subcommand.run(invocation, { ...context, globals: chosen, source })) ?? 0
}

function subcommandHelp(name: string, subcommand: Subcommand, flags: Flags): string {
  return `${usageOf(name, subcommand)}\n\n${subcommand.summary}\n\nOptions:\n${flagsHelp(flags)}\n`
}
