import type { Context, Invocation } from '../command.ts'
import type { Completion, Flags } from '../flags.ts'
import type { ComposeFlags } from './flags.ts'
import type { ProjectSource } from './project-source.ts'

/** What a subcommand of `compose` gets besides its own flags and arguments. */
export interface ComposeContext extends Context {
  /** The flags before the subcommand. */
  readonly globals: ComposeFlags
  readonly source: ProjectSource
}

/** A subcommand of `compose`: data that parsing and help are loops over, and what it does. */
export interface Subcommand<F extends Flags = Flags> {
  /** After its name, such as `[OPTIONS] [SERVICE...]`. */
  readonly usage: string
  readonly summary: string
  readonly flags: F
  readonly min?: number
  readonly max?: number
  /** False: the first argument ends the flags, what follows belongs to the container. */
  readonly interspersed?: boolean
  readonly completes?: Completion
  /** Returns the exit code; nothing means 0. */
  run(invocation: Invocation<F>, context: ComposeContext): Promise<number | void>
}

/** Types `run` by the flags it declares, then forgets them, so that all subcommands fit into one table. */
export function subcommand<const F extends Flags>(definition: Subcommand<F>): Subcommand {
  return definition
}
