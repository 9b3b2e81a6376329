import { createHash, type Hash } from 'node:crypto'
import { type BigIntStats, constants } from 'node:fs'
import { type Digest, digestFrom } from '#base/digest.ts'
import { decodeBytes } from '#oci/tar/entry.ts'
import { isSettled } from '#store/file-digests.ts'
import type { Beneath } from './beneath.ts'
import type { StateOptions } from './file-source.ts'
import { typeOf } from './stat-attributes.ts'
import { Turns } from './turns.ts'

/**
 * What stat(2) says of all at and below `path` (byte string), in one digest; undefined when it is not there, or when one of its
 * files has changed so lately that another change need not show. `now`: nanoseconds since 1970.
 */
export async function directoryState(
  beneath: Beneath,
  path: string,
  now: bigint,
  { only, descend, signal }: StateOptions = {},
): Promise<Digest | undefined> {
  const states = new States()
  const turns = new Turns()
  const left = [path]
  let there = false
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    await turns.next()
    signal?.throwIfAborted()
    const found = beneath.stat(at)
    if (found === undefined || typeOf(found) === undefined) continue
    there = true
    const isDirectory = (Number(found.mode) & constants.S_IFMT) === constants.S_IFDIR
    const shown = decodeBytes(at)
    if (!isDirectory && only?.(shown) === false) continue
    // Of a directory its names are looked at anyway.
    if (!isDirectory && !isSettled(found, now)) return undefined
    states.add(at, found, isDirectory)
    if (!isDirectory || descend?.(shown) === false) continue
    const names = (beneath.names(at) ?? []).toSorted().toReversed()
    for (const name of names) left.push(at === '' ? name : `${at}/${name}`)
  }
  return there ? states.digest() : undefined
}

/** More than a path can be: 512 names of 255 bytes. */
const CHUNK = 256 * 1024

/** Hashes records of one form: path, NUL, and numbers of eight bytes. */
class States {
  readonly #hash: Hash = createHash('sha256')
  readonly #buffer = Buffer.allocUnsafe(CHUNK)
  readonly #numbers = new BigUint64Array(8)
  readonly #record = Buffer.from(this.#numbers.buffer)
  #used = 0

  add(path: string, found: BigIntStats, isDirectory: boolean): void {
    if (this.#used + path.length + 1 + this.#record.length > CHUNK) this.#flush()
    this.#used += this.#buffer.write(path, this.#used, 'latin1')
    this.#used = this.#buffer.writeUInt8(0, this.#used)
    const { mode, uid, gid, dev, ino, size, mtimeNs, ctimeNs } = found
    const numbers = this.#numbers
    numbers.fill(0n)
    numbers[0] = mode
    numbers[1] = uid
    numbers[2] = gid
    // The times of a directory change with what is in it, and are no part of what is taken.
    if (!isDirectory) {
      numbers[3] = dev
      numbers[4] = ino
      numbers[5] = size
      numbers[6] = mtimeNs
      numbers[7] = ctimeNs
    }
    this.#used += this.#record.copy(this.#buffer, this.#used)
  }

  digest(): Digest {
    this.#flush()
    return digestFrom(this.#hash)
  }

  #flush(): void {
    this.#hash.update(this.#buffer.subarray(0, this.#used))
    this.#used = 0
  }
}
