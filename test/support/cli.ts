import { EventEmitter } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import type { Input, Io, Output, SignalName } from '#cli/io.ts'
import { main } from '#cli/main.ts'

export interface CliOptions {
  readonly host?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Makes stdin, stdout and stderr terminals of 24 rows and 80 columns. */
  readonly tty?: boolean
  /** All of stdin; undefined leaves it open. */
  readonly stdin?: string
  readonly now?: number
}

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A caller of the command line that exists only in memory. */
export class FakeCaller implements Io {
  readonly input = new PassThrough()
  readonly stdin: Input
  readonly stdout: Output & { readonly text: string }
  readonly stderr: Output & { readonly text: string }
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly home = '/nonexistent/home'
  readonly uid = 1000
  readonly now: () => number
  readonly signals = new EventEmitter()
  /** The program that it went on as. */
  became:
    | {
        readonly program: string
        readonly args: readonly string[]
        readonly env: Readonly<Record<string, string | undefined>>
      }
    | undefined
  /** How often the terminal was made raw, and put back. */
  readonly terminal: ('raw' | 'restored')[] = []

  constructor(options: CliOptions = {}) {
    const {
      tty = false,
      stdin,
      host,
      env = {},
      cwd = '/',
      now = Date.parse('2026-01-02T04:04:05Z'),
    } = options
    this.stdin = Object.assign(this.input, { isTTY: tty, setRawMode: () => undefined })
    if (stdin !== undefined) this.input.end(stdin)
    this.stdout = Object.assign(new Capture(), tty ? { isTTY: true, rows: 24, columns: 80 } : {})
    this.stderr = Object.assign(new Capture(), tty ? { isTTY: true, rows: 24, columns: 80 } : {})
    this.env = { ...(host === undefined ? {} : { BERTH_HOST: host }), ...env }
    this.cwd = cwd
    this.now = () => now
  }

  onSignal(names: readonly SignalName[], listener: (name: SignalName) => void): Disposable {
    for (const name of names) this.signals.on(name, listener)
    return {
      [Symbol.dispose]: () => {
        for (const name of names) this.signals.off(name, listener)
      },
    }
  }

  rawTerminal(): Promise<Disposable> {
    this.terminal.push('raw')
    return Promise.resolve({ [Symbol.dispose]: () => void this.terminal.push('restored') })
  }

  readonly systemPlugins: readonly string[] = []
  readonly program = 'berth'

  become(program: string, args: readonly string[], env: Readonly<Record<string, string | undefined>>): never {
    this.became = { program, args, env }
    throw new Error(`became ${program}`)
  }

  exit(code: number): never {
    throw new Error(`exit ${code}`)
  }
}

/** Runs one command line in this process. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const caller = new FakeCaller({ stdin: '', ...options })
  const code = await main(args, caller)
  return { code, stdout: caller.stdout.text, stderr: caller.stderr.text }
}

class Capture extends Writable {
  #text = ''

  get text(): string {
    return this.#text
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#text += chunk.toString()
    done()
  }
}
