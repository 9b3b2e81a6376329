import { createHash, type Hash } from 'node:crypto'
import type { Digest } from '#base/digest.ts'

export function digestOf(bytes: Uint8Array): Digest {
  return finish(createHash('sha256').update(bytes))
}

export function finish(hash: Hash): Digest {
  return `sha256:${hash.digest('hex')}`
}
