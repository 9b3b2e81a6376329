/** Passes `source` on and keeps what it fails with: a pipeline throws the error of its other end in here, too. */
export async function* noting(
  source: AsyncIterable<Uint8Array>,
  failures: unknown[],
): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]()
  const next = (): Promise<IteratorResult<Uint8Array>> =>
    chunks.next().catch((error: unknown) => {
      failures.push(error)
      throw error
    })
  try {
    for (let step = await next(); step.done !== true; step = await next()) yield step.value
  } finally {
    await chunks.return?.()
  }
}
