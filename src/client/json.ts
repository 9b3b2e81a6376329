/**
 * Parses JSON without losing digits: an integer beyond 2^53 (counters, `timeNano`) becomes a bigint.
 * Everything else is what JSON.parse gives.
 */
export function parseJson(text: string): unknown {
  // The reviver slows parsing down several times; few documents hold a number that needs it.
  return /\d{16}/.test(text) ? JSON.parse(text, exactNumber as Reviver) : JSON.parse(text)
}

/** TypeScript's library does not know the third argument yet (ECMA-262, JSON.parse source text access). */
type Reviver = (key: string, value: unknown) => unknown

function exactNumber(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context.source === undefined) return value
  return /^-?\d+$/.test(context.source) ? BigInt(context.source) : value
}

/** Begins every text of an RFC 7464 sequence. */
const RECORD_SEPARATOR = '\u001e'

/** One parsed value per line; line ends may be `\n` or `\r\n`, and RFC 7464 record separators are skipped. */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  for await (const line of lines(chunks)) {
    const text = (line.startsWith(RECORD_SEPARATOR) ? line.slice(1) : line).trim()
    if (text !== '') yield parseJson(text)
  }
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
  rest += decoder.decode()
  if (rest !== '') yield rest
}
