import type { Readable } from 'node:stream'
import { EngineError } from '#base/errors.ts'

/** What a command may touch of its process. */
export interface CommandIo {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Asks on the terminal, without showing what is typed. */
  readonly secret: (prompt: string) => Promise<string>
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
  /** Calls `listener` for every SIGHUP until disposed. */
  onHangUp(listener: () => void): Disposable
}

export interface CommandOption {
  /** `texts` may be given several times. */
  readonly kind: 'text' | 'texts' | 'switch'
  readonly short?: string
  /** What stands after it in the help, such as `FILE`. */
  readonly value?: string
  readonly help: string
}

export interface CommandInvocation {
  readonly args: readonly string[]
  /** Those that were given: every text, or true. */
  readonly options: Readonly<Record<string, readonly string[] | true | undefined>>
}

/** A command of `berth-registry`: data that parsing and help are loops over, and what it does. */
export interface RegistryCommand {
  /** After the command's name, such as `[OPTIONS] NAME`. */
  readonly usage: string
  readonly summary: string
  readonly options: Readonly<Record<string, CommandOption>>
  /** How many arguments it takes. */
  readonly min: number
  readonly max: number
  /** Examples and the like, at the end of the help. */
  readonly more?: string
  /** Returns the exit code; nothing means 0. */
  run(invocation: CommandInvocation, io: CommandIo): Promise<number | void>
}

/** The last one given wins. */
export function textOf(invocation: CommandInvocation, option: string): string | undefined {
  return textsOf(invocation, option).at(-1)
}

export function textsOf({ options }: CommandInvocation, option: string): readonly string[] {
  const value = options[option]
  return value === undefined || value === true ? [] : value
}

export function requiredText(invocation: CommandInvocation, option: string): string {
  const text = textOf(invocation, option)
  if (text === undefined) throw usageError(`--${option} is needed`)
  return text
}

export function usageError(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'ARGUMENTS_INVALID', cause })
}

/** Rows of cells as columns, one line each. */
export function tableText(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd((widths[i] ?? 0) + 3))
        .join('')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}
