import { commandError } from '../errors.ts'

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q'

/** The bytes of a key sequence: single characters and `ctrl-<letter>`, with commas between them. */
export function parseDetachKeys(keys: string): readonly number[] {
  return keys.split(',').map((key) => {
    if (key.length === 1) return key.charCodeAt(0)
    const letter = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1]
    if (letter === undefined) {
      throw commandError(
        `Unknown character: '${key}' in the detach keys '${keys}'; use single characters and ctrl-<letter>`,
      )
    }
    return letter.toUpperCase().charCodeAt(0) - 64
  })
}

/**
 * Watches typed bytes for the keys that detach. The daemon acts on them; this side only needs to know afterwards why
 * the connection ended.
 */
export class DetachWatcher {
  readonly #keys: readonly number[]
  #matched = 0

  constructor(keys: string | undefined) {
    this.#keys = keys === undefined ? [] : parseDetachKeys(keys)
  }

  get seen(): boolean {
    return this.#keys.length > 0 && this.#matched === this.#keys.length
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.seen) return
      if (byte === this.#keys[this.#matched]) this.#matched += 1
      else this.#matched = byte === this.#keys[0] ? 1 : 0
    }
  }
}
