import { Duplex } from 'node:stream'

/** Looks at bytes on their way to stdin; `undefined` asks for detaching. */
export type InputFilter = (chunk: Uint8Array) => Uint8Array | undefined

export interface AttachStreamOptions {
  readonly filter?: InputFilter | undefined
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
  #target: Duplex | undefined
  #held: { readonly chunk: Uint8Array; readonly done: Done } | undefined
  #finish: Done | undefined

  constructor(options: AttachStreamOptions = {}) {
    super({ allowHalfOpen: true })
    this.#options = options
  }

  connect(target: Duplex): void {
    this.#target = target
    target.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) target.pause()
    })
    target.once('end', () => this.push(null))
    target.once('error', (error) => this.destroy(error))
    target.once('close', () => this.#closed())
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) target.write(held.chunk, held.done)
    if (this.#finish !== undefined) target.end(this.#finish)
  }

  /** Ends the client's stream without output: there will be no process. */
  abandon(): void {
    this.push(null)
    this.#closed()
  }

  override _read(): void {
    this.#target?.resume()
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    const { filter } = this.#options
    const passed = filter === undefined ? chunk : filter(chunk)
    if (passed === undefined) this.#detach(done)
    else if (passed.length === 0) done()
    else if (this.#target === undefined) this.#held = { chunk: passed, done }
    else if (this.#target.writable) this.#target.write(passed, done)
    // The process has closed its stdin or ended: what is typed now has no reader.
    else done()
  }

  override _final(done: Done): void {
    if (this.#target === undefined) this.#finish = done
    else if (this.#target.writable) this.#target.end(done)
    else done()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#target?.destroy()
    this.#closed()
    done(error)
  }

  #detach(done: Done): void {
    this.#options.onDetach?.()
    this.push(null)
    this.#target?.destroy()
    done()
  }

  /** Nobody will take the input any more; what waits is let go. */
  #closed(): void {
    const waiting = [this.#held?.done, this.#finish]
    this.#held = undefined
    this.#finish = undefined
    for (const done of waiting) done?.()
  }
}
