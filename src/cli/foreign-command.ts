import { contextInUse, resolveTarget } from './connection.ts'
import { errorText } from './errors.ts'
import type { Globals } from './global-flags.ts'
import type { Io } from './io.ts'
import { findPlugin, type Plugin, type Where } from './plugins/plugins.ts'
import { runPlugin } from './plugins/run-plugin.ts'
import { groups } from './registry.ts'
import { configOf } from './run-command.ts'
import { unknownCommand } from './unknown-command.ts'

/** What to do with words that name no command of berth: an installed plugin has it, or nobody. Returns the exit code. */
export async function runForeign(words: readonly string[], globals: Globals, io: Io): Promise<number> {
  const config = configOf(globals, io)
  try {
    const found = pluginFor(words, { config, io })
    if (found === undefined) return unknownCommand(words, config, io)
    const inUse = contextInUse(globals, config, io.env)
    const target = await resolveTarget(inUse, globals, config, io.env)
    return runPlugin({ ...found, globals, inUse, target, io })
  } catch (error) {
    io.stderr.write(`${errorText(error)}\n`)
    return 1
  }
}

/** `bake` is a command of buildx, and `builder` another name for it. */
export function pluginFor(
  words: readonly string[],
  where: Where,
): { readonly plugin: Plugin; readonly args: readonly string[] } | undefined {
  const [first = '', ...rest] = words
  const buildx = first === 'builder' || where.config.file.aliases?.[first] === 'buildx'
  if (buildx && (rest[0] === undefined || rest[0].startsWith('-'))) return undefined
  const plugin = findPlugin(first === 'bake' || buildx ? 'buildx' : first, where)
  if (plugin === undefined) return undefined
  // A group of ours that is called alone shows what we have of it.
  if (groups[first] !== undefined && rest.length === 0) return undefined
  return { plugin, args: first === 'bake' ? words : rest }
}
