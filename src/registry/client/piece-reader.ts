/** Reads a stream in pieces of a given length, and knows where it stands. */
export class PieceReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #position: number
  /** Read, but beyond the last piece. */
  #rest: Uint8Array | undefined
  #ended = false

  constructor(chunks: AsyncIterable<Uint8Array>, position: number) {
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.#position = position
  }

  /** Of the next byte to be taken. */
  get position(): number {
    return this.#position
  }

  /** The next bytes, at most `limit`. */
  async *take(limit: number): AsyncGenerator<Uint8Array> {
    let left = limit
    while (left > 0) {
      const chunk = await this.#next()
      if (chunk === undefined) return
      const piece = chunk.length > left ? chunk.subarray(0, left) : chunk
      this.#rest = chunk.length > left ? chunk.subarray(left) : undefined
      left -= piece.length
      this.#position += piece.length
      yield piece
    }
  }

  async ended(): Promise<boolean> {
    this.#rest = await this.#next()
    return this.#rest === undefined
  }

  /** Lets the stream go; it may still be busy with what was asked of it last. */
  close(): void {
    void this.#chunks.return?.().catch(() => undefined) // whoever read it has its failure
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#rest !== undefined) return this.#rest
    if (this.#ended) return undefined
    const { done, value } = await this.#chunks.next()
    this.#ended = done === true
    return done === true ? undefined : value
  }
}
