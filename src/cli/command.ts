import type { Client } from '#client/client.ts'
import type { ClientConfig } from './client-config.ts'
import type { ContextInUse } from './connection.ts'
import type { Completion, Flags, Values } from './flags.ts'
import type { Io } from './io.ts'

/** What a command gets besides its own flags and arguments. */
export interface Context {
  readonly io: Io
  readonly client: Client
  readonly config: ClientConfig
  /** The words that called it, such as `run` or `container run`. */
  readonly name: string
  /** The name of the context in use. */
  readonly context: string
  readonly inUse: ContextInUse
  /** Aborted by the first Ctrl-C, unless the command took the signals over. */
  readonly signal: AbortSignal
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

export interface Invocation<F extends Flags = Flags> {
  readonly args: readonly string[]
  readonly flags: Values<F>
  /** Names of the flags that were given. */
  readonly changed: ReadonlySet<string>
}

/** A command: data that parsing, help and completion are loops over, and what it does. */
export interface Command<F extends Flags = Flags> {
  /** After the command's name, such as `[OPTIONS] CONTAINER [CONTAINER...]`. */
  readonly usage: string
  readonly summary: string
  readonly flags: F
  /** How many arguments it takes; no `max`: any number. */
  readonly min: number
  readonly max?: number
  /** False: the first argument ends the flags, what follows belongs to the container. */
  readonly interspersed?: boolean
  /** Talks to no engine, and so runs also when nobody can say where one is. */
  readonly local?: boolean
  /** Says itself what the first Ctrl-C means for requests that are under way, which are given up otherwise. */
  readonly keepsRequests?: boolean
  /** What its arguments name. */
  readonly completes?: Completion
  /** Further sections of its help. */
  readonly sections?: () => string
  /** Returns the exit code; nothing means 0. */
  run(invocation: Invocation<F>, context: Context): Promise<number | void>
}

/** Types `run` by the flags it declares, then forgets them, so that all commands fit into one table. */
export function command<const F extends Flags>(definition: Command<F>): Command {
  return definition
}
