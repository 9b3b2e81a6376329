import type { Readable, Writable } from 'node:stream'

/** What a command may touch of its process. */
export interface ProgramIo {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable & { readonly isTTY?: boolean }
  readonly stderr: Writable
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
  /** Calls `listener` for every SIGHUP until disposed. */
  onHangUp(listener: () => void): Disposable
}

export interface Option {
  readonly type: 'string' | 'boolean'
  /** What stands after it in the help, such as `FILE`. */
  readonly value?: string
  readonly summary: string
}

export type Options = Readonly<Record<string, Option>>

/** Values of options that were given. */
export interface Invocation {
  readonly args: readonly string[]
  text(option: string): string | undefined
  flag(option: string): boolean
}

/** A command of `berth-registry`: data that parsing and help are loops over, and what it does. */
export interface ProgramCommand {
  /** After the command's name, such as `[OPTIONS] NAME`. */
  readonly usage: string
  readonly summary: string
  readonly options: Options
  /** How many arguments it takes. */
  readonly min: number
  readonly max: number
  /** Examples and the like, at the end of the help. */
  readonly more?: string
  /** Returns the exit code; nothing means 0. */
  run(invocation: Invocation, io: ProgramIo): Promise<number | void>
}
