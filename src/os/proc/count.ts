/** A kernel counter, unsigned 64 bits: a bigint only where a double would not be exact. */
export type Count = number | bigint

/** Parses a decimal counter; undefined for anything else (`max`). */
export function parseCount(text: string | undefined): Count | undefined {
  const trimmed = text?.trim()
  if (trimmed === undefined || !/^\d+$/.test(trimmed)) return undefined
  return narrow(BigInt(trimmed))
}

/** The same value, as a number when that is exact. */
export function narrow(value: bigint): Count {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
}

/** `value` × `factor`, exactly. */
export function scale(value: Count, factor: number): Count {
  return narrow(BigInt(value) * BigInt(factor))
}

/** Lines of `key value`, as in memory.stat and cpu.stat. */
export function parseKeyed(text: string | undefined): ReadonlyMap<string, Count> {
  const counts = new Map<string, Count>()
  for (const line of (text ?? '').split('\n')) {
    const [key = '', value] = line.split(' ', 2)
    const count = parseCount(value)
    if (count !== undefined) counts.set(key, count)
  }
  return counts
}
