import { type Duplex, duplexPair } from 'node:stream'
import type { StreamSelection } from './shim.ts'

interface Client {
  readonly stream: Duplex
  readonly streams: StreamSelection
}

const SIGKILL = 9

/** `true`, `false`, `echo WORDS`, `cat`, `sleep`, and `stubborn`, which hears only SIGKILL. */
export const fakeCommands: readonly string[] = ['true', 'false', 'echo', 'cat', 'sleep', 'stubborn']

/** A process that is played; while it is frozen, signals wait as they do for a real one. */
export class FakeProcess {
  readonly tty: boolean
  state: 'new' | 'running' | 'ended' = 'new'
  readonly #closesInput: boolean
  readonly #onExit: (code: number) => void
  readonly #clients: Client[] = []
  readonly #held: number[] = []
  #frozen = false
  #args: readonly string[] = []

  constructor(tty: boolean, closesInput: boolean, onExit: (code: number) => void) {
    this.tty = tty
    this.#closesInput = closesInput
    this.#onExit = onExit
  }

  attach(streams: StreamSelection): Duplex {
    const [ours, theirs] = duplexPair()
    this.#clients.push({ stream: ours, streams })
    ours.on('error', () => undefined)
    // Input waits in the pair until there is a process.
    if (this.state === 'running') this.#read(ours, streams)
    return theirs
  }

  start(args: readonly string[]): void {
    this.state = 'running'
    this.#args = args
    const [command, ...words] = args
    for (const { stream, streams } of this.#clients) this.#read(stream, streams)
    if (command === 'echo') this.#write(`${words.join(' ')}\n`)
    const stays = command === 'cat' || command === 'sleep' || command === 'stubborn'
    if (!stays) this.end(command === 'false' ? 1 : 0)
  }

  endInput(): void {
    if (this.state === 'running' && this.#args[0] === 'cat' && !this.tty) this.end(0)
  }

  signal(number: number): void {
    if (this.#frozen) this.#held.push(number)
    else if (number === SIGKILL || this.#args[0] !== 'stubborn') this.end(128 + number)
  }

  freeze(): void {
    this.#frozen = true
  }

  thaw(): void {
    this.#frozen = false
    for (const number of this.#held.splice(0)) this.signal(number)
  }

  get frozen(): boolean {
    return this.#frozen
  }

  end(code: number): void {
    if (this.state === 'ended') return
    this.state = 'ended'
    this.closeStreams()
    this.#onExit(code)
  }

  closeStreams(): void {
    for (const { stream } of this.#clients) stream.end()
  }

  #read(stream: Duplex, streams: StreamSelection): void {
    stream.on('data', (chunk: Buffer) => {
      if (streams.stdin && this.state === 'running' && this.#args[0] === 'cat') this.#write(chunk.toString())
    })
    stream.once('end', () => {
      if (streams.stdin && this.#closesInput) this.endInput()
    })
  }

  #write(text: string): void {
    const payload = Buffer.from(text)
    const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])
    header.writeUInt32BE(payload.length, 4)
    for (const { stream, streams } of this.#clients) {
      if (streams.stdout) stream.write(this.tty ? payload : Buffer.concat([header, payload]))
    }
  }
}
