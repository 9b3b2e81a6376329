import { command, type Context, type Invocation } from '../command.ts'
import { commandError } from '../errors.ts'
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
  flags: composeFlags,
  sections: () => `Commands:\n${rows(subcommands.map(({ names, summary }) => [names[0] ?? '', summary]))}`,
  async run({ args, flags }, context) {
    const [name = 'help', ...rest] = args
    const entry = findSubcommand(name === 'help' ? (rest[0] ?? '') : name)
    if (name === 'help' || entry === undefined) {
      throw commandError(`unknown docker command: "compose ${name}"; 'berth compose --help' lists them`)
    }
    return runSubcommand(name, await entry.load(), rest, { flags: flags, context })
  },
})

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

function subcommandHelp(name: string, { usage, summary }: Subcommand, flags: Flags): string {
  return `Usage:  berth compose ${name} ${usage}\n\n${summary}\n\nOptions:\n${flagsHelp(flags)}\n`
}
