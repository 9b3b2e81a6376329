import type { Subcommand } from './subcommand.ts'

/** A subcommand as far as it must be known before its module is loaded. */
export interface SubcommandEntry {
  /** Every spelling; the first one is its home. */
  readonly names: readonly string[]
  readonly summary: string
  readonly load: () => Promise<Subcommand>
}

type Module = Promise<{ readonly default: Subcommand }>

function entry(names: string, summary: string, module: () => Module): SubcommandEntry {
  return { names: names.split(', '), summary, load: async () => (await module()).default }
}

/** Every subcommand. A module is loaded only when it is called. */
export const subcommands: readonly SubcommandEntry[] = [
  entry('down', 'Stop and remove containers and networks', () => import('./commands/down.ts')),
  entry('ps', 'List containers', () => import('./commands/ps.ts')),
  entry('up', 'Make and start what the files describe', () => import('./commands/up.ts')),
  entry(
    'config, convert',
    'Check the project files, and print what they come to',
    () => import('./commands/config.ts'),
  ),
]

export function findSubcommand(name: string): SubcommandEntry | undefined {
  return subcommands.find(({ names }) => names.includes(name))
}
