import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isErrno } from '#base/errors.ts'
import { commandError } from './errors.ts'
import type { Io } from './io.ts'

const LOG_FILE = '/var/log/berthd.log'
const PATIENCE_MS = 20_000
const RETRY_MS = 15

/** Starts a daemon of our own in the background and returns when it accepts connections on `socket`. */
export async function startDaemon(socket: string, io: Io): Promise<void> {
  const program = daemonProgram(io.env)
  const log = openSync(LOG_FILE, 'a', 0o640)
  const from = readFileSync(LOG_FILE).length
  const child = spawn(program, [], { detached: true, stdio: ['ignore', log, log], cwd: '/' })
  closeSync(log)
  const exited = once(child, 'exit').then(
    ([code, signal]) => `${program} ended with ${String(code ?? signal)}`,
  )

  const failure = await readyOrFailed(socket, exited)
  if (failure !== undefined) {
    throw commandError(`cannot start a daemon for ${socket}: ${failure}; ${lastLines(from)}`)
  }
  child.unref()
  io.stderr.write(`berth: no daemon was running, started one (pid ${child.pid}, log ${LOG_FILE})\n`)
}

/** Undefined once something accepts connections, otherwise why that will not happen. */
async function readyOrFailed(socket: string, exited: Promise<string>): Promise<string | undefined> {
  let failure: string | undefined
  exited.then(
    (reason) => (failure = reason),
    (error: Error) => (failure = error.message),
  )
  const deadline = performance.now() + PATIENCE_MS
  while (performance.now() < deadline) {
    // Looked at before connecting: another caller's daemon may have won, and then ours ends while that one answers.
    const ended = failure
    if (await accepts(socket)) return undefined
    if (ended !== undefined) return ended
    await delay(RETRY_MS)
  }
  return `it does not answer within ${PATIENCE_MS / 1000} seconds`
}

async function accepts(path: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const socket = connect(path, () => resolve(true))
  socket.once('error', (error) => {
    if (isErrno(error, 'ENOENT', 'ECONNREFUSED', 'EAGAIN')) resolve(false)
    else reject(error)
  })
  try {
    return await promise
  } finally {
    socket.destroy()
  }
}

function daemonProgram(env: Io['env']): string {
  const candidates = [
    env['BERTH_DAEMON'] ?? '',
    join(import.meta.dirname, '../bin/berthd'),
    join(import.meta.dirname, '../../bin/berthd'),
    '/usr/bin/berthd',
  ]
  const program = candidates.find((path) => path !== '' && existsSync(path))
  if (program === undefined) {
    throw commandError(
      'cannot start a daemon: there is no berthd beside this program; set BERTH_DAEMON to its path',
    )
  }
  return program
}

function lastLines(from: number): string {
  const text = readFileSync(LOG_FILE).subarray(from).toString().trim()
  return text === ''
    ? `it said nothing; try to run berthd in the foreground`
    : `its last words in ${LOG_FILE} were:\n${text.split('\n').slice(-8).join('\n')}`
}
