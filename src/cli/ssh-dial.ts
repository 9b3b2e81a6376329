import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { Duplex, type Readable, type Writable } from 'node:stream'
import { addressOf, type SshEndpoint } from '#client/endpoint.ts'
import { commandError } from './errors.ts'
import type { Io } from './io.ts'

const LAST_WORDS = 2000

/** A connection to the engine of another host, through `berth system dial-stdio` or that of docker there. */
export function dialSsh(endpoint: SshEndpoint, io: Pick<Io, 'env'>): Duplex {
  const child = spawn('ssh', sshArguments(endpoint), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...io.env },
  })
  return new ProcessConnection(child, addressOf(endpoint))
}

/** Nothing is asked on a terminal: connections may be several at once. */
export function sshArguments({ user, host, port, path }: SshEndpoint): string[] {
  return [
    '-o',
    'ConnectTimeout=30',
    '-T',
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    '--',
    host,
    remoteCommand(path),
  ]
}

/** For whatever shell the user has there: only `sh` has to be found. */
function remoteCommand(path: string | undefined): string {
  const host = path === undefined ? '' : `-H ${quoted(`unix://${path}`)} `
  const dial = (program: string): string => `exec ${program} ${host}system dial-stdio`
  return `sh -c ${quoted(`command -v berth >/dev/null 2>&1 && ${dial('berth')}; ${dial('docker')}`)}`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** A process's standard streams as a connection; ending it closes only the process's stdin. */
class ProcessConnection extends Duplex {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  #lastWords = ''

  constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, address: string) {
    super({ allowHalfOpen: true })
    this.#child = child
    child.stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      this.#lastWords = `${this.#lastWords}${chunk.toString()}`.slice(-LAST_WORDS)
    })
    // What it could not take is told by its end.
    child.stdin.on('error', () => undefined)
    child.once('error', (cause) => this.destroy(commandError(`cannot start ssh: ${cause.message}`, cause)))
    child.once('close', (code, signal) => {
      if (this.destroyed) return
      if (code === 0) {
        this.push(null)
        return
      }
      const why = this.#lastWords.trim()
      this.destroy(
        commandError(
          `error during connect: ${address}: ssh ended with ${code ?? signal}${why === '' ? '' : `: ${why}`}; try it with: ssh ${address.slice('ssh://'.length)} docker version`,
        ),
      )
    })
  }

  override _read(): void {
    this.#child.stdout.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#child.stdin.write(chunk, () => done())
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#child.kill()
    done(error)
  }

  // What Node's agent asks of a socket that it keeps.
  setKeepAlive(): this {
    return this
  }
  setNoDelay(): this {
    return this
  }
  setTimeout(): this {
    return this
  }
  ref(): this {
    this.#child.ref()
    return this
  }
  unref(): this {
    this.#child.unref()
    return this
  }
}
