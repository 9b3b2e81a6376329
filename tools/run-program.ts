import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

interface RunOptions {
  /** What the program reads; without it, nothing. */
  readonly input?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly signal?: AbortSignal | undefined
}

interface Ended {
  /** 128+n for a signal. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end; rejects only when it cannot be started or is aborted. */
export async function runProgram(argv: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const [program = '', ...args] = argv
  const child = spawn(program, args, {
    stdio: 'pipe',
    ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  child.stdin.on('error', ignoreBrokenPipe)
  child.stdin.end(options.input ?? '')
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  return { code: typeof code === 'number' ? code : 128, stdout, stderr }
}

/** What a program wrote to its standard output; rejects with its standard error unless it ends with 0. */
export async function output(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runProgram(argv, options)
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr.trim() || stdout.trim()}`)
  return stdout
}

/** A program may end before it has read everything. */
function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}
