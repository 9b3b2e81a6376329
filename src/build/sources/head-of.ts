export interface Head {
  /** As many bytes as were asked for, if there are so many. */
  readonly bytes: Buffer
  /** These and the rest; to be read once. */
  all(): AsyncIterable<Uint8Array>
}

/** Looks at the first `size` bytes of a stream. */
export async function headOf(source: AsyncIterable<Uint8Array>, size: number): Promise<Head> {
  const iterator = source[Symbol.asyncIterator]()
  const chunks: Uint8Array[] = []
  for (let have = 0; have < size;) {
    const { done, value } = await iterator.next()
    if (done === true) break
    chunks.push(value)
    have += value.length
  }
  return {
    bytes: Buffer.concat(chunks).subarray(0, size),
    async *all() {
      try {
        yield* chunks
        yield* { [Symbol.asyncIterator]: () => iterator }
      } finally {
        await iterator.return?.()
      }
    },
  }
}
