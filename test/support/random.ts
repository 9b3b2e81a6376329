/** Random choices that a seed repeats. */
export interface Random {
  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number
  pick<T>(items: readonly T[]): T | undefined
  /** Letters that do not compress to nothing. */
  text(length: number): string
}

/** Mulberry32: small, and good enough for choices. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.trunc(next() * limit)
  return {
    below,
    pick: (items) => items[below(items.length)],
    text: (length) => Array.from({ length }, () => String.fromCodePoint(97 + below(26))).join(''),
  }
}
