import type { OutgoingHttpHeaders } from 'node:http2'

/** What is said beside the messages of a call: values by their lower-case names. */
export type Metadata = ReadonlyMap<string, readonly string[]>

/** Of names and values by turns: Node's object of headers has put together what came twice. */
export function metadataOf(rawHeaders: readonly string[]): Metadata {
  const metadata = new Map<string, string[]>()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2)
    if (name.startsWith(':')) continue
    const values = metadata.get(name)
    if (values === undefined) metadata.set(name, [value])
    else values.push(value)
  }
  return metadata
}

export function headersOf(metadata: Metadata): OutgoingHttpHeaders {
  return Object.fromEntries([...metadata].map(([name, values]) => [name, [...values]]))
}

/** Text in `grpc-message`: printable ASCII without `%`. */
export function percentEncoded(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^ -$&-~]/gu, (character) =>
      [...Buffer.from(character)]
        .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
        .join(''),
    )
}

export function percentDecoded(text: string): string {
  const bytes = text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
