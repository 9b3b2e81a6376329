import type { Command, Context } from '../command.ts'
import { parseFlags } from '../flags.ts'

/** Does what another command does with these words, such as `exec` with the name of a container. */
export async function delegate(command: Command, argv: readonly string[], context: Context): Promise<number> {
  const { interspersed = true } = command
  const { flags, changed, args } = parseFlags(command.flags, argv, { interspersed })
  return (await command.run({ args, flags, changed }, context)) ?? 0
}

/** `--NAME` for a switch that is on. */
export function switchOf(name: string, on: boolean): readonly string[] {
  return on ? [`--${name}`] : []
}

/** `--NAME=VALUE` for each value that is not empty. */
export function valuesOf(name: string, ...values: readonly string[]): readonly string[] {
  return values.flatMap((value) => (value === '' ? [] : [`--${name}=${value}`]))
}
