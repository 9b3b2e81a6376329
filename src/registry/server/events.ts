import type { Digest } from '#base/digest.ts'

/** Something that happened to a repository; listeners are webhooks, metrics and the times shown on pages. */
export interface RegistryEvent {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly action: 'push' | 'pull' | 'delete' | 'mount'
  readonly repository: string
  readonly digest: Digest
  readonly tag: string | undefined
  readonly mediaType: string
  readonly size: number
  /** Account, or `anonymous`. */
  readonly actor: string
  readonly remoteAddress: string
  readonly userAgent: string
}

export type RegistryEventListener = (event: RegistryEvent) => void
