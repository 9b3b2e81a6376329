import type { Extent } from './entry.ts'
import { invalidTar } from './errors.ts'
import { BLOCK, number } from './header.ts'
import { limits } from './limits.ts'
import { paxInteger } from './pax.ts'

/** GNU tar manual, "Storing Sparse Files": the map of data in a file with holes, in its four encodings. */

/** Checks a map: ascending, without overlap, inside the file, and accounting for every stored byte. */
export function checkSparse(
  numbers: readonly number[],
  size: number,
  stored: number,
  name: string,
): readonly Extent[] {
  if (numbers.length % 2 !== 0) throw invalidTar(name, 'sparse map with an odd number of values')
  if (numbers.length / 2 > limits.sparseRegions) throw invalidTar(name, 'too many sparse regions')
  const extents: Extent[] = []
  let end = 0
  let total = 0
  for (let i = 0; i < numbers.length; i += 2) {
    const offset = numbers[i]!
    const length = numbers[i + 1]!
    // A comparison with NaN is false: hence in this direction.
    if (!(offset >= end && length >= 0 && offset + length <= size)) {
      throw invalidTar(name, 'sparse map out of order or outside the file')
    }
    end = offset + length
    total += length
    if (length > 0) extents.push({ offset, length })
  }
  if (total !== stored)
    throw invalidTar(name, `sparse map describes ${total} bytes, the archive holds ${stored}`)
  return extents
}

/** Old GNU format: pairs of 12-byte numbers; the first empty one ends the list. True when a block follows. */
export function readOldSparse(
  block: Buffer,
  at: number,
  count: number,
  flag: number,
  into: number[],
): boolean {
  for (let i = 0; i < count; i++) {
    const start = at + i * 24
    if (block[start] === 0) break
    into.push(number(block, start, 12), number(block, start + 12, 12))
  }
  return block[flag] === 1 || block[flag] === 0x31
}

/** `GNU.sparse.map` of format 0.1, or the collected values of format 0.0. */
export function parseSparseList(values: readonly string[], name: string): number[] {
  if (values.length > 2 * limits.sparseRegions) throw invalidTar(name, 'too many sparse regions')
  return values.map(paxInteger)
}

/** Format 1.0: the map is decimal lines in the first blocks of the data. */
export class SparseMapReader {
  readonly numbers: number[] = []
  readonly #name: string
  #value = 0
  #digits = 0
  #expected = -1

  constructor(name: string) {
    this.#name = name
  }

  /** Takes one block; true when it was the last one of the map. */
  push(block: Buffer, at: number): boolean {
    for (let i = at; i < at + BLOCK; i++) {
      const byte = block[i]!
      if (byte !== 0x0a) {
        const digit = byte - 0x30
        if (digit < 0 || digit > 9 || ++this.#digits > 15)
          throw invalidTar(this.#name, 'malformed sparse map')
        this.#value = this.#value * 10 + digit
        continue
      }
      if (this.#digits === 0) throw invalidTar(this.#name, 'malformed sparse map')
      this.#add(this.#value)
      this.#value = 0
      this.#digits = 0
      if (this.numbers.length === this.#expected) return true
    }
    return false
  }

  #add(value: number): void {
    if (this.#expected >= 0) {
      this.numbers.push(value)
      return
    }
    if (value > limits.sparseRegions) throw invalidTar(this.#name, 'too many sparse regions')
    this.#expected = 2 * value
  }
}
