import type { Command } from './command.ts'
import { argumentsError } from './errors.ts'

/** Refuses too few arguments, and too many, in Docker's words. */
export function checkArguments(
  name: string,
  command: Pick<Command, 'min' | 'max'>,
  args: readonly string[],
): void {
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
