import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { EngineError, isErrno } from '#base/errors.ts'
import { nativeError } from '#os/errno.ts'

/** How long berth-dns may take for one request, in milliseconds; it takes about one. */
const PATIENCE = 10_000

/** True for the error of a connection that ended before the answer: whether it was carried out is not known. */
export function isLost(error: unknown): boolean {
  return error instanceof EngineError && error.code === 'RESOLVER_GONE'
}

/** A connection to berth-dns. Requests and answers are texts with their length before them, one after the other. */
export class Control {
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  readonly #waiting: PromiseWithResolvers<readonly string[]>[] = []
  #received: Buffer = Buffer.alloc(0)

  private constructor(socket: Socket) {
    this.#socket = socket
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        for (const { reject } of this.#waiting.splice(0)) reject(gone())
        resolve()
      })
    })
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    // 'close' follows, and tells everybody who waits.
    socket.on('error', () => undefined)
    // An idle connection keeps nobody from ending.
    socket.unref()
  }

  /** Undefined when nobody listens at `path`. */
  static async open(path: string): Promise<Control | undefined> {
    const socket = connect({ path })
    try {
      await once(socket, 'connect')
      return new Control(socket)
    } catch (error) {
      socket.destroy()
      if (isErrno(error, 'ENOENT', 'ECONNREFUSED', 'ECONNRESET')) return undefined
      throw error
    }
  }

  /** The lines of the answer but the last, `ok`. A refusal is an error; `RESOLVER_GONE` when none came. */
  async ask(request: string): Promise<readonly string[]> {
    if (this.#socket.destroyed) throw gone()
    const waiting = Promise.withResolvers<readonly string[]>()
    this.#waiting.push(waiting)
    const body = Buffer.from(request)
    const header = Buffer.alloc(4)
    header.writeUInt32LE(body.length)
    this.#socket.ref()
    this.#socket.write(Buffer.concat([header, body]))
    const timer = setTimeout(() => this.close(), PATIENCE)
    try {
      return await waiting.promise
    } finally {
      clearTimeout(timer)
      if (this.#waiting.length === 0) this.#socket.unref()
    }
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    while (this.#received.length >= 4) {
      const end = 4 + this.#received.readUInt32LE(0)
      if (this.#received.length < end) return
      const answer = this.#received.toString('utf8', 4, end)
      this.#received = this.#received.subarray(end)
      this.#settle(answer)
    }
  }

  #settle(answer: string): void {
    const waiting = this.#waiting.shift()
    const lines = answer.trimEnd().split('\n')
    const last = lines.pop() ?? ''
    if (last === 'ok') waiting?.resolve(lines)
    else waiting?.reject(refusal(last))
  }
}

/** `error ERRNO TEXT` */
function refusal(line: string): EngineError {
  const [, errno, text] = /^error (\d+) (.*)$/.exec(line) ?? []
  return nativeError(Number(errno ?? 0), `resolver of containers: ${text ?? line}`)
}

function gone(): EngineError {
  return new EngineError('unavailable', 'the resolver of containers does not answer', {
    code: 'RESOLVER_GONE',
  })
}
