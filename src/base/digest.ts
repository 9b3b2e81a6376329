import { createHash, type Hash } from 'node:crypto'

/** `sha256:` and 64 hexadecimal digits; the only algorithm we store. OCI image-spec, descriptor.md "Digests". */
export type Digest = `sha256:${string}`

const DIGEST = /^sha256:[0-9a-f]{64}$/

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text)
}

/** The 64 hexadecimal digits of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length)
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return digestFrom(createHash('sha256').update(bytes))
}

/** Of everything that a SHA-256 hash was given; the hash is spent. */
export function digestFrom(hash: Hash): Digest {
  return `sha256:${hash.digest('hex')}`
}
