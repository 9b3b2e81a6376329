import { readFile, rm, writeFile } from 'node:fs/promises'
import { connect as connectSocket, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { EngineError, isErrno, messageOf } from '#base/errors.ts'
import type { Helper } from '#os/helper.ts'
import { encodeShimConfig } from './shim-config.ts'
import { parseExitRecord, parseShimEvent } from './shim-events.ts'
import type { ExitEvent, Shim, ShimConfig, ShimEvent, Shims, StreamSelection } from './shim.ts'

const NO_PROCESS = 'no such process'

/** Shims as they are: `berth-shim` processes, spawned by the helper and spoken to over `DIR/sock`. */
export class NativeShims implements Shims {
  readonly #helper: Pick<Helper, 'spawnShim'>

  constructor(helper: Pick<Helper, 'spawnShim'>) {
    this.#helper = helper
  }

  async spawn(directory: string, config: ShimConfig): Promise<Shim & { readonly pid: number }> {
    await Promise.all([
      writeFile(join(directory, 'shim.conf'), encodeShimConfig(config), { mode: 0o600 }),
      rm(config.exitRecord, { force: true }),
    ])
    const { pid } = await this.#helper.spawnShim(directory)
    return new NativeShim(directory, pid)
  }

  async connect(directory: string): Promise<Shim | undefined> {
    const socket = await dial(directory)
    socket?.destroy()
    return socket === undefined ? undefined : new NativeShim(directory, 0)
  }

  async exitRecord(file: string): Promise<ExitEvent | undefined> {
    try {
      return parseExitRecord(await readFile(file, 'latin1'))
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    }
  }
}

/** A connection per request; the shim answers each with one line, after which it may become a stream. */
class NativeShim implements Shim {
  readonly directory: string
  /** 0 when it was found rather than spawned. */
  readonly pid: number

  constructor(directory: string, pid: number) {
    this.directory = directory
    this.pid = pid
  }

  async *watch(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncGenerator<ShimEvent> {
    const { signal } = options
    const socket = await dial(this.directory)
    if (socket === undefined) return
    const onAbort = (): void => void socket.destroy()
    if (signal?.aborted === true) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      socket.write('watch\n')
      for await (const line of linesOf(socket)) {
        const event = parseShimEvent(line)
        // A shim may be older or newer than the daemon: what is not understood is not for us.
        if (event !== undefined) yield event
      }
    } catch (error) {
      if (signal?.aborted !== true) throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      socket.destroy()
    }
  }

  async start(): Promise<{ readonly pid: number }> {
    const reply = await this.#ask('start')
    if (reply.ok) return { pid: Number(reply.text) }
    throw new EngineError('internal', reply.text, { code: 'RUNTIME_START_FAILED' })
  }

  async attach(target: string, streams: StreamSelection): Promise<Duplex> {
    const { socket, reply } = await this.#open(`attach ${target} ${flagsOf(streams)}`)
    if (reply.ok) return socket
    socket.destroy()
    throw refused(reply.text)
  }

  async exec(
    id: string,
    tty: boolean,
    streams: StreamSelection,
  ): Promise<{ readonly pid: number; readonly stream?: Duplex }> {
    const { socket, reply } = await this.#open(`exec ${id} ${flag(tty)} ${flagsOf(streams)}`)
    const pid = Number(reply.text)
    if (reply.ok && (streams.stdin || streams.stdout || streams.stderr)) return { pid, stream: socket }
    socket.destroy()
    if (reply.ok) return { pid }
    throw new EngineError('internal', reply.text, { code: 'RUNTIME_EXEC_FAILED' })
  }

  async resize(target: string, rows: number, columns: number): Promise<void> {
    const reply = await this.#ask(`resize ${target} ${rows} ${columns}`)
    if (!reply.ok) throw refused(reply.text)
  }

  async kill(target: string, signal: number): Promise<boolean> {
    const reply = await this.#askIfAlive(`kill ${target} ${signal}`)
    if (reply === undefined || reply.text === NO_PROCESS) return false
    if (!reply.ok) throw refused(reply.text)
    return true
  }

  async discard(): Promise<void> {
    await this.#askIfAlive('discard')
  }

  async #ask(request: string): Promise<Reply> {
    const { socket, reply } = await this.#open(request)
    socket.destroy()
    return reply
  }

  /** Undefined when the shim has ended, be it before the request or instead of an answer. */
  async #askIfAlive(request: string): Promise<Reply | undefined> {
    try {
      return await this.#ask(request)
    } catch (error) {
      if (error instanceof EngineError && error.code === 'SHIM_GONE') return undefined
      throw error
    }
  }

  async #open(request: string): Promise<{ readonly socket: Socket; readonly reply: Reply }> {
    const socket = await dial(this.directory)
    if (socket === undefined) throw gone()
    try {
      socket.write(`${request}\n`)
      return { socket, reply: parseReply(await firstLine(socket)) }
    } catch (error) {
      socket.destroy()
      throw error instanceof EngineError ? error : gone(error)
    }
  }
}

interface Reply {
  readonly ok: boolean
  readonly text: string
}

function parseReply(line: string): Reply {
  const space = line.indexOf(' ')
  const word = space < 0 ? line : line.slice(0, space)
  return { ok: word === 'ok', text: space < 0 ? '' : line.slice(space + 1) }
}

function flag(value: boolean): string {
  return value ? '1' : '0'
}

function flagsOf({ stdin, stdout, stderr }: StreamSelection): string {
  return [stdin, stdout, stderr].map(flag).join(' ')
}

/**
 * The shim's socket, or undefined when nobody listens. Half-open is left off: it is about the other side ending first,
 * and a shim that ends its side has nothing more to take; our own `end()` leaves the reading side open either way.
 */
async function dial(directory: string): Promise<Socket | undefined> {
  const socket = connectSocket({ path: join(directory, 'sock') })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.once('connect', resolve)
  socket.once('error', reject)
  try {
    await promise
    return socket
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'ECONNRESET')) return undefined
    throw gone(error)
  } finally {
    socket.removeAllListeners('connect')
    socket.removeListener('error', reject)
    // A failure is seen by whoever reads or writes next; between two owners nobody listens.
    socket.on('error', () => undefined)
  }
}

/** Reads up to the first newline; what follows stays in the stream for its next reader. */
async function firstLine(socket: Socket): Promise<string> {
  const parts: Buffer[] = []
  for (;;) {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) {
      await readable(socket)
      continue
    }
    const newline = chunk.indexOf(0x0a)
    parts.push(newline < 0 ? chunk : chunk.subarray(0, newline))
    if (newline < 0) continue
    if (newline + 1 < chunk.length) socket.unshift(chunk.subarray(newline + 1))
    return Buffer.concat(parts).toString('utf8')
  }
}

async function readable(socket: Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const ended = (): void => reject(gone())
  socket.once('readable', resolve).once('end', ended).once('close', ended)
  if (socket.readableEnded || socket.destroyed) ended()
  try {
    await promise
  } finally {
    socket.removeListener('readable', resolve).removeListener('end', ended).removeListener('close', ended)
  }
}

async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let held = ''
  socket.setEncoding('utf8')
  try {
    for await (const chunk of socket as AsyncIterable<string>) {
      const lines = (held + chunk).split('\n')
      held = lines.pop() ?? ''
      yield* lines
    }
  } catch (error) {
    // Killed while it was speaking: the end all the same.
    if (!isErrno(error, 'ECONNRESET', 'EPIPE')) throw error
  }
}

function gone(cause?: unknown): EngineError {
  const reason = cause === undefined ? '' : `: ${messageOf(cause)}`
  return new EngineError('unavailable', `the supervisor of the container is gone${reason}`, {
    code: 'SHIM_GONE',
    cause,
  })
}

function refused(text: string): EngineError {
  return text === NO_PROCESS
    ? new EngineError('conflict', 'the process has ended', { code: 'PROCESS_ENDED' })
    : new EngineError('internal', text, { code: 'SHIM_REFUSED' })
}
