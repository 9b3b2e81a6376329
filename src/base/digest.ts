import { EngineError } from './errors.ts'

/** `sha256:` and 64 hexadecimal digits; the only algorithm we store. OCI image-spec, descriptor.md "Digests". */
export type Digest = `sha256:${string}`

const DIGEST = /^sha256:[0-9a-f]{64}$/

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text)
}

/** Parses a digest from outside; anything that is not one is refused before it can become part of a path. */
export function parseDigest(text: unknown): Digest {
  if (typeof text === 'string' && isDigest(text)) return text
  throw new EngineError(
    'invalid_argument',
    `invalid digest ${JSON.stringify(text)}: want sha256:<64 hex digits>`,
    {
      code: 'DIGEST_INVALID',
    },
  )
}

/** The 64 hexadecimal digits of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length)
}
