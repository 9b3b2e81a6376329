import { Duplex } from 'node:stream'

/** Looks at bytes on their way to stdin; `undefined` asks for detaching. */
export type InputFilter = (chunk: Uint8Array) => Uint8Array | undefined

export interface AttachStreamOptions {
  readonly filter?: InputFilter | undefined
  /** Turns what the process writes into what the client is given. */
  readonly output?: ((chunk: Uint8Array) => Uint8Array) | undefined
  /** Called once when the filter asks for detaching; the stream has ended then. */
  readonly onDetach?: (() => void) | undefined
}

type Done = (error?: Error | null) => void

/**
 * The client's side of an attachment. It may exist before the process does: input waits and nothing is read until
 * `connect` names the stream of the shim. Both directions keep their back-pressure, and each may end by itself.
 */
export class AttachStream extends Duplex {
  readonly #options: AttachStreamOptions
  /** What has been written already and is shown first. */
  #replay: AsyncIterator<Uint8Array> | undefined
  #replaying = false
  #target: Duplex | undefined
  #held: { readonly chunk: Uint8Array; readonly done: Done } | undefined
  #finish: Done | undefined
  #over = false

  constructor(options: AttachStreamOptions = {}, replay?: AsyncIterable<Uint8Array>) {
    super({ allowHalfOpen: true })
    this.#options = options
    this.#replay = replay?.[Symbol.asyncIterator]()
  }

  /** Detached, abandoned or destroyed: a target would have no reader. */
  get over(): boolean {
    return this.#over || this.destroyed
  }

  connect(target: Duplex): void {
    if (this.over) {
      target.on('error', () => undefined)
      target.destroy()
      return
    }
    this.#target = target
    const { output } = this.#options
    target.on('data', (chunk: Buffer) => {
      if (!this.push(output === undefined ? chunk : output(chunk))) target.pause()
    })
    // What was written before comes first.
    if (this.#replay !== undefined) target.pause()
    target.once('end', () => this.push(null))
    // Closing follows: what has been read stays for the client, whatever has failed.
    target.on('error', () => undefined)
    target.once('close', () => {
      if (!target.readableEnded && !this.destroyed) this.push(null)
      this.#letGo()
    })
    const [held, finish] = [this.#held, this.#finish]
    // Each is called once: a second call would end the stream, and with it output that nobody has read yet.
    this.#held = undefined
    this.#finish = undefined
    if (held !== undefined) target.write(held.chunk, () => held.done())
    if (finish !== undefined) target.end(() => finish())
  }

  /** There will be no process: the client's stream ends, after `last`. */
  abandon(last?: Uint8Array): void {
    if (this.over) return
    this.#over = true
    if (last !== undefined) this.push(last)
    if (this.#replay === undefined) this.push(null)
    this.#letGo()
  }

  override _read(): void {
    if (this.#replay === undefined) this.#target?.resume()
    else if (!this.#replaying) void this.#readReplay(this.#replay)
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    const { filter } = this.#options
    const passed = filter === undefined ? chunk : filter(chunk)
    if (passed === undefined) this.#detach(done)
    else if (passed.length === 0) done()
    else if (this.#target === undefined && !this.#over) this.#held = { chunk: passed, done }
    // The process may have closed its stdin or ended: what is typed then has no reader, and that is no failure.
    else if (this.#target?.writable === true) this.#target.write(passed, () => done())
    else done()
  }

  override _final(done: Done): void {
    if (this.#target === undefined && !this.#over) this.#finish = done
    else if (this.#target?.writable === true) this.#target.end(() => done())
    else done()
  }

  override _destroy(error: Error | null, done: Done): void {
    const replay = this.#replay
    this.#replay = undefined
    this.#target?.destroy()
    this.#letGo()
    void Promise.resolve(replay?.return?.()).then(
      () => done(error),
      () => done(error),
    )
  }

  /** One chunk of what was written before, and at its end over to what is written now. */
  async #readReplay(replay: AsyncIterator<Uint8Array>): Promise<void> {
    this.#replaying = true
    try {
      const next = await replay.next()
      this.#replaying = false
      if (this.destroyed) return
      if (next.done !== true) {
        this.push(next.value)
        return
      }
      this.#replay = undefined
      if (this.#over) this.push(null)
      else this.#target?.resume()
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #detach(done: Done): void {
    this.#over = true
    this.#options.onDetach?.()
    this.push(null)
    this.#target?.destroy()
    done()
  }

  /** Nobody will take the input any more; what waits is let go. */
  #letGo(): void {
    const waiting = [this.#held?.done, this.#finish]
    this.#held = undefined
    this.#finish = undefined
    for (const done of waiting) done?.()
  }
}
