const zeros = Buffer.alloc(64 << 10)

/**
 * Whether these bytes can be left out of a new file, which then has a hole: they are zeros, and so many that it is worth it.
 * Costs nothing for most of what is not: the first bytes tell.
 */
export function isHole(bytes: Uint8Array): boolean {
  if (bytes.length < zeros.length || bytes[0] !== 0) return false
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const end = Math.min(at + zeros.length, bytes.length)
    if (zeros.compare(bytes, at, end, 0, end - at) !== 0) return false
  }
  return true
}
