import type { Metadata } from '../grpc/metadata.ts'

/** Values that are no printable ASCII are escaped as in an address, all of their key, and `<key>-encoded` says so. */
export function metadataText(texts: Readonly<Record<string, readonly string[]>>): Metadata {
  const metadata = new Map<string, readonly string[]>()
  for (const [key, values] of Object.entries(texts)) {
    if (values.length === 0) continue
    const plain = values.every((value) => /^[ -~]*$/.test(value))
    metadata.set(key, plain ? values : values.map((value) => encodeURIComponent(value)))
    if (!plain) metadata.set(`${key}-encoded`, ['1'])
  }
  return metadata
}
