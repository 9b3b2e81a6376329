import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { EngineError, isErrno, messageOf } from '#base/errors.ts'
import type { RunResult } from './helper.ts'
import { constants } from 'node:os'

/**
 * Child processes of the daemon. The only user of node:child_process; what is started often or must not share the
 * daemon's fate goes through the helper instead (spawning from Node costs milliseconds).
 */
export interface StartedProcess {
  readonly pid: number
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** Settles once, when the process has ended and its output has been read or closed; never rejects. */
  readonly exited: Promise<ExitStatus>
  /** Does nothing when the process has ended. */
  kill(signal: NodeJS.Signals): void
}

/** Exit code, or 128 + n for a signal. */
interface ExitStatus {
  readonly code: number
  readonly signal?: NodeJS.Signals | undefined
}

export interface StartOptions {
  /** Default: that of the daemon. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  readonly cwd?: string | undefined
  /** In a session of its own, all of which `kill` reaches: what it has started as well. */
  readonly session?: boolean | undefined
}

/** Starts a program with pipes on its three standard streams. `not_found` when there is no such program. */
export async function startProcess(
  argv: readonly [string, ...string[]],
  options: StartOptions = {},
): Promise<StartedProcess> {
  const [program, ...args] = argv
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    detached: options.session === true,
  })
  const exited = new Promise<ExitStatus>((resolve) => {
    child.once('close', (code, signal) => {
      resolve(signal === null ? { code: code ?? 0 } : { code: 128 + constants.signals[signal], signal })
    })
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.on('error', (error) => {
      const kind = isErrno(error, 'ENOENT')
        ? 'not_found'
        : isErrno(error, 'EACCES')
          ? 'permission_denied'
          : 'internal'
      reject(
        new EngineError(kind, `start ${program}: ${messageOf(error)}`, {
          code: 'SPAWN_FAILED',
          cause: error,
        }),
      )
    })
  })
  return {
    pid: child.pid as number,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    kill: (signal) => {
      if (options.session !== true) child.kill(signal)
      else killGroup(child.pid as number, signal)
    },
  }
}

/** Of a group that is gone nothing is left to be killed. */
function killGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal)
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error
  }
}

/** Runs a program to its end and collects its output; a non-zero exit is a result. An aborted signal kills it. */
export async function runProcess(
  argv: readonly [string, ...string[]],
  options: StartOptions & {
    readonly stdin?: string | Uint8Array
    readonly signal?: AbortSignal | undefined
  } = {},
): Promise<RunResult> {
  options.signal?.throwIfAborted()
  const child = await startProcess(argv, options)
  const onAbort = (): void => child.kill('SIGKILL')
  options.signal?.addEventListener('abort', onAbort, { once: true })
  if (options.signal?.aborted === true) onAbort()
  try {
    // A program that does not read its input closes the pipe: its exit code tells the rest.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.stdin ?? '')
    const [stdout, stderr, { code }] = await Promise.all([
      textOf(child.stdout),
      textOf(child.stderr),
      child.exited,
    ])
    options.signal?.throwIfAborted()
    return { code, stdout, stderr }
  } finally {
    options.signal?.removeEventListener('abort', onAbort)
  }
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks).toString()
}
