import { read as readCallback, readSync } from 'node:fs'
import { promisify } from 'node:util'

/** Up to this size a file is read at once and synchronously: calls in a thread would take several times as long. */
const SMALL = 128 << 10
const CHUNK = 512 << 10

const readSome = promisify(readCallback)

/** `length` bytes of an open file from `from` on; fewer when it is shorter. */
export async function* readRange(fd: number, from: number, length: number): AsyncGenerator<Uint8Array> {
  if (length <= SMALL) {
    const bytes = readWhole(fd, from, length)
    if (bytes.length > 0) yield bytes
    return
  }
  const end = from + length
  for (let at = from; at < end;) {
    const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK, end - at))
    const { bytesRead } = await readSome(fd, buffer, 0, buffer.length, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

function readWhole(fd: number, from: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length)
  let have = 0
  while (have < length) {
    const count = readSync(fd, buffer, have, length - have, from + have)
    if (count === 0) break
    have += count
  }
  return buffer.subarray(0, have)
}
