import { EngineError } from '#base/errors.ts'

export interface ExpansionLimits {
  /** Bytes that may always come out. */
  readonly unquestioned: number
  /** Beyond these, so many times what went in. */
  readonly ratio: number
}

/** Deflate alone can do a thousandfold, zstd far more; real archives stay below ten. */
const expansionLimits: ExpansionLimits = { unquestioned: 1 << 30, ratio: 200 }

/**
 * Watches what becomes of an archive when all that is compressed in it, at whatever depth, is decompressed: what is made
 * to fill the disk is refused with `resource_exhausted` while it does, not after.
 */
export class Expansion {
  readonly #limits: ExpansionLimits
  #read = 0
  #made = 0

  constructor(limits: ExpansionLimits = expansionLimits) {
    this.#limits = limits
  }

  /** The archive as it comes. */
  async *from(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#read += chunk.length
      yield chunk
    }
  }

  /** Something that comes out of it at last. */
  async *into(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { unquestioned, ratio } = this.#limits
    for await (const chunk of source) {
      this.#made += chunk.length
      const limit = Math.max(unquestioned, this.#read * ratio)
      if (this.#made > limit) throw tooLarge(limit)
      yield chunk
    }
  }
}

function tooLarge(limit: number): EngineError {
  return new EngineError(
    'resource_exhausted',
    `archive becomes more than ${limit} bytes when decompressed, many times what it has: it is made to fill disks, or should be sent uncompressed`,
    { code: 'ARCHIVE_TOO_LARGE', details: { limit } },
  )
}
