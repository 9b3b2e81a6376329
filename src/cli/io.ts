import type { Readable, Writable } from 'node:stream'

/** Standard input; a terminal has `setRawMode`. */
export type Input = Readable & {
  readonly isTTY?: boolean
  setRawMode?(raw: boolean): unknown
}

/** An output stream; a terminal knows its size and says when that changes (`resize`). */
export type Output = Writable & {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

export type SignalName = NodeJS.Signals

/** Everything of the calling process that a command may touch, so that tests can stand in for it. */
export interface Io {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly home: string
  readonly uid: number
  readonly now: () => number
  /** Calls `listener` for each of these signals until disposed; the default action does not happen meanwhile. */
  onSignal(names: readonly SignalName[], listener: (name: SignalName) => void): Disposable
  /** Makes the terminal pass every byte through, in and out, until disposed. */
  rawTerminal(): Promise<Disposable>
  /** Directories of the machine for plugins of Docker's command line. */
  readonly systemPlugins: readonly string[]
  /** How this program was called. */
  readonly program: string
  /** Goes on as another program: signals, streams and the exit code are that one's. */
  become(program: string, args: readonly string[], env: Readonly<Record<string, string | undefined>>): never
  /** Ends the process at once; a raw terminal is put back first. */
  exit(code: number): never
}
