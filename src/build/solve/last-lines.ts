const LINES = 20
const BYTES = 16 * 1024

/** The end of a step's output, for the message of its failure. */
export class LastLines {
  #text = Buffer.alloc(0)

  add(data: Uint8Array): void {
    const all = Buffer.concat([this.#text, data])
    this.#text = all.subarray(Math.max(all.length - BYTES, 0))
  }

  /** Empty when there was no output. */
  toString(): string {
    return this.#text.toString().trimEnd().split(/\r?\n/).slice(-LINES).join('\n')
  }
}
