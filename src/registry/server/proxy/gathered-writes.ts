import type { Ingest } from '#store/ingests/ingests.ts'

/** Bytes that may wait for the write before them. */
const GATHER = 1 << 20

/** Writes what comes at once; what comes during a write is gathered for the next one. */
export class GatheredWrites {
  readonly #ingest: Ingest
  readonly #onWritten: (bytes: number) => void
  #position: number
  #pieces: Uint8Array[] = []
  #bytes = 0
  #writing: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(ingest: Ingest, position: number, onWritten: (bytes: number) => void) {
    this.#ingest = ingest
    this.#position = position
    this.#onWritten = onWritten
  }

  async add(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    this.#writing ??= this.#write()
    if (this.#bytes >= GATHER) await this.finish()
  }

  /** Resolves when all of it is written. To be called after a failure as well: what has come is worth keeping. */
  async finish(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Until nothing waits. Never rejects: whoever adds or finishes is told. */
  async #write(): Promise<void> {
    try {
      while (this.#bytes > 0 && this.#failure === undefined) {
        const [pieces, bytes, position] = [this.#pieces, this.#bytes, this.#position]
        this.#pieces = []
        this.#bytes = 0
        this.#position += bytes
        await this.#ingest.write(position, ...pieces)
        this.#onWritten(bytes)
      }
    } catch (error) {
      this.#failure = { error }
    } finally {
      this.#writing = undefined
    }
  }
}
