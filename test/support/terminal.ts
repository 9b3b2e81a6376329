/**
 * A program in a terminal, as a person sees it: what is typed goes in, what appears is waited for. Python's pty module
 * holds the terminal, since Node has none.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'

/** Copies between its streams and the terminal; lines "ROWS COLUMNS" on descriptor 3 resize it. */
const BRIDGE = `
import fcntl, os, pty, select, struct, sys, termios
size = lambda rows, columns: struct.pack('HHHH', int(rows), int(columns), 0, 0)
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, size(*sys.argv[1:3]))
    os.execvp(sys.argv[3], sys.argv[3:])
sources = [0, 3, terminal]
while terminal in sources:
    for source in select.select(sources, [], [])[0]:
        try:
            data = os.read(source, 65536)
        except OSError:
            data = b''
        if not data:
            sources.remove(source)
        elif source == terminal:
            os.write(1, data)
        elif source == 0:
            os.write(terminal, data)
        else:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, size(*data.split()[-2:]))
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
`

export const CTRL = { c: '\x03', d: '\x04', p: '\x10', q: '\x11', z: '\x1a' } as const

export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #input: Writable
  readonly #sizes: Writable
  /** What appeared and was not expected yet. */
  #seen = ''
  #ended = false
  #wake = (): void => undefined

  constructor(argv: readonly string[], env: NodeJS.ProcessEnv = process.env, size = '24 80') {
    this.#child = spawn('python3', ['-c', BRIDGE, ...size.split(' '), ...argv], {
      env,
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    })
    this.#input = this.#child.stdin as Writable
    this.#sizes = this.#child.stdio[3] as Writable
    // The program may end while it is typed to.
    for (const stream of [this.#input, this.#sizes]) stream.on('error', () => undefined)
    const output = this.#child.stdout as Readable
    output.setEncoding('utf8').on('data', (text: string) => {
      this.#seen += text
      this.#wake()
    })
    output.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  type(text: string): void {
    this.#input.write(text)
  }

  resize(rows: number, columns: number): void {
    this.#sizes.write(`${rows} ${columns}\n`)
  }

  /** Waits until `pattern` has appeared since what was last expected; fails when the program ends before. */
  async expect(pattern: RegExp, patience = 15_000): Promise<RegExpExecArray> {
    const deadline = AbortSignal.timeout(patience)
    deadline.addEventListener('abort', () => this.#wake(), { once: true })
    for (;;) {
      const found = pattern.exec(this.#seen)
      if (found !== null) {
        this.#seen = this.#seen.slice(found.index + found[0].length)
        return found
      }
      if (this.#ended || deadline.aborted) {
        const why = this.#ended ? 'the program ended' : `waited ${patience} ms`
        throw new Error(`${why} without ${String(pattern)}; on the screen: ${JSON.stringify(this.#seen)}`)
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
  }

  /** Waits for the program to end: its exit code. */
  async end(patience = 15_000): Promise<number> {
    if (this.#running()) await once(this.#child, 'exit', { signal: AbortSignal.timeout(patience) })
    return this.#child.exitCode ?? -1
  }

  #running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#input.end()
    if (this.#running()) {
      this.#child.kill('SIGKILL') // the terminal goes with it: its program gets a hang-up
      await once(this.#child, 'exit')
    }
  }
}
