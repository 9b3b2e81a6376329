import { digestOf } from '#base/digest.ts'

/** The content of everything that is no regular file. */
export async function* nothing(): AsyncGenerator<Uint8Array> {
  // No bytes.
}

export const NOTHING = digestOf('')
