import type { Ingest } from './ingests.ts'

/** Bytes that may wait for the write before them. */
const MOST = 1 << 20

export interface GatheredWritesOptions {
  /** Fewer bytes than these are not worth a write, unless they are the last. */
  readonly least: number
  readonly onWritten: (bytes: number) => void
}

/** Writes what comes one after the other; what comes during a write is gathered for the next one. */
export class GatheredWrites {
  readonly #ingest: Ingest
  readonly #options: GatheredWritesOptions
  #position: number
  #pieces: Uint8Array[] = []
  #bytes = 0
  #writing: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(ingest: Ingest, position: number, options: GatheredWritesOptions) {
    this.#ingest = ingest
    this.#position = position
    this.#options = options
  }

  /** Where the next byte belongs. After finish() all before it are written. */
  get position(): number {
    return this.#position + this.#bytes
  }

  async add(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    const { least } = this.#options
    if (this.#bytes >= least) this.#writing ??= this.#write(least)
    if (this.#bytes >= MOST) await this.#settled()
  }

  /** Resolves when all of it is written. To be called after a failure as well: what has come is worth keeping. */
  async finish(): Promise<void> {
    await this.#settled()
    if (this.#bytes === 0) return
    this.#writing = this.#write(1)
    await this.#settled()
  }

  async #settled(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Until fewer than `least` bytes wait. Never rejects: whoever adds or finishes is told. */
  async #write(least: number): Promise<void> {
    try {
      while (this.#bytes >= least && this.#failure === undefined) {
        const [pieces, bytes, position] = [this.#pieces, this.#bytes, this.#position]
        this.#pieces = []
        this.#bytes = 0
        this.#position += bytes
        await this.#ingest.write(position, ...pieces)
        this.#options.onWritten(bytes)
      }
    } catch (error) {
      this.#failure = { error }
    } finally {
      this.#writing = undefined
    }
  }
}
