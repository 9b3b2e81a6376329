import { Duplex } from 'node:stream'
import { frame, streamType, type StreamType } from '#api/stdcopy.ts'
import { EngineError } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import type { AttachedStream, ContainerCreateBody } from '#engine/services.ts'

type Status = 'created' | 'running' | 'paused' | 'exited'

/**
 * A container whose process is played: `echo WORDS` prints and ends, `cat` copies stdin until it ends,
 * `exit N` ends with N, `fail TEXT` prints to stderr and ends with 1; anything else runs until it is killed.
 */
export class FakeContainer {
  readonly id = newId()
  readonly created = new Date('2026-01-02T03:04:05.678Z')
  readonly body: ContainerCreateBody
  readonly onExit: (container: FakeContainer) => void
  name: string
  status: Status = 'created'
  exitCode = 0
  readonly output: { readonly type: StreamType; readonly text: string }[] = []
  /** Every stream that was ever attached. */
  readonly streams: FakeStream[] = []
  readonly #attached = new Set<FakeStream>()
  readonly #waiters: (() => void)[] = []
  readonly #input: string[] = []
  #inputEnded = false

  constructor(name: string, body: ContainerCreateBody, onExit: (container: FakeContainer) => void) {
    this.name = name
    this.body = body
    this.onExit = onExit
  }

  get tty(): boolean {
    return this.body.Tty === true
  }

  start(): void {
    this.status = 'running'
    const [command = '', ...words] = this.body.Cmd ?? []
    if (command === 'echo') this.print(streamType.stdout, `${words.join(' ')}\n`)
    if (command === 'fail') this.print(streamType.stderr, `${words.join(' ')}\n`)
    if (command === 'echo' || command === 'exit') this.exit(Number(command === 'exit' ? words[0] : 0))
    if (command === 'fail') this.exit(1)
    this.#read()
  }

  /** What a running `cat` does with its input so far. */
  #read(): void {
    if (this.status !== 'running' || this.body.Cmd?.[0] !== 'cat') return
    for (const text of this.#input.splice(0)) this.print(streamType.stdout, text)
    if (this.#inputEnded) this.exit(0)
  }

  print(type: StreamType, text: string): void {
    this.output.push({ type, text })
    for (const stream of this.#attached) stream.print(type, text)
  }

  exit(code: number): void {
    this.status = 'exited'
    this.exitCode = code
    for (const stream of this.#attached) stream.push(null)
    this.#attached.clear()
    this.onExit(this)
    for (const wake of this.#waiters.splice(0)) wake()
  }

  async exited(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiters.push(resolve)
    await promise
  }

  attach(options: {
    readonly stdin: boolean
    readonly logs: boolean
    readonly stream: boolean
  }): AttachedStream {
    const stream = new FakeStream(this.tty, {
      write: (text) => {
        this.#input.push(text)
        this.#read()
      },
      end: () => {
        this.#inputEnded = options.stdin
        this.#read()
      },
    })
    this.streams.push(stream)
    if (options.logs) this.output.forEach(({ type, text }) => stream.print(type, text))
    if (options.stream && this.status !== 'exited') this.#attached.add(stream)
    else stream.push(null)
    return { tty: this.tty, stream }
  }

  mustRun(): void {
    if (this.status === 'running' || this.status === 'paused') return
    throw new EngineError('conflict', `container ${this.id} is not running`, {
      code: 'CONTAINER_NOT_RUNNING',
    })
  }
}

/** One client's side of an attached process. */
export class FakeStream extends Duplex {
  readonly #tty: boolean
  readonly #stdin: { readonly write: (text: string) => unknown; readonly end: () => unknown }

  constructor(
    tty: boolean,
    stdin: { readonly write: (text: string) => unknown; readonly end: () => unknown },
  ) {
    super({ allowHalfOpen: true })
    this.#tty = tty
    this.#stdin = stdin
  }

  print(type: StreamType, text: string): void {
    const payload = Buffer.from(text)
    this.push(this.#tty ? payload : frame(type, payload))
  }

  override _read(): void {
    // pushed when the process prints
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#stdin.write(chunk.toString())
    done()
  }

  override _final(done: () => void): void {
    this.#stdin.end()
    done()
  }
}
