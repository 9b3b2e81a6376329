import type { ByteRange } from './ingests.ts'

/** A set of byte positions, kept as ranges that neither touch nor overlap, in order. */
export class ByteRanges {
  #ranges: ByteRange[] = []

  /** Number of bytes in the set. */
  get size(): number {
    return this.#ranges.reduce((sum, { offset, end }) => sum + end - offset, 0)
  }

  /** Where the range that begins at 0 ends; 0 when there is none. */
  get prefix(): number {
    const [first] = this.#ranges
    return first?.offset === 0 ? first.end : 0
  }

  list(): readonly ByteRange[] {
    return this.#ranges
  }

  add(range: ByteRange): void {
    if (range.end <= range.offset) return
    const before = this.#ranges.filter(({ end }) => end < range.offset)
    const after = this.#ranges.filter(({ offset }) => offset > range.end)
    const touching = this.#ranges.slice(before.length, this.#ranges.length - after.length)
    const offset = Math.min(range.offset, touching[0]?.offset ?? range.offset)
    const end = Math.max(range.end, touching.at(-1)?.end ?? range.end)
    this.#ranges = [...before, { offset, end }, ...after]
  }

  /** Those of 0…`end` that are not in the set. */
  missing(end: number): ByteRange[] {
    const gaps: ByteRange[] = []
    let at = 0
    for (const range of this.#ranges) {
      if (range.offset > at) gaps.push({ offset: at, end: Math.min(range.offset, end) })
      at = range.end
    }
    if (at < end) gaps.push({ offset: at, end })
    return gaps
  }

  clear(): void {
    this.#ranges = []
  }
}
