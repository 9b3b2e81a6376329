/** Modes as Go has them (os.FileMode), which is how they travel: types and special bits are other ones than POSIX's. */
import type { TarType } from '#oci/tar/entry.ts'

const SOCKET = 2 ** 24

/** A character device has the bit of a device as well; looked for in this order. */
const types: readonly (readonly [type: TarType, bits: number])[] = [
  ['directory', 2 ** 31],
  ['symlink', 2 ** 27],
  ['char', 2 ** 26 + 2 ** 21],
  ['block', 2 ** 26],
  ['fifo', 2 ** 25],
]

const special: readonly (readonly [go: number, posix: number])[] = [
  [2 ** 23, 0o4000],
  [2 ** 22, 0o2000],
  [2 ** 20, 0o1000],
]

/** What a mode says a file is; a hard link is a `file` here. */
export function typeOfMode(mode: number): Exclude<TarType, 'hardlink'> | 'socket' {
  if (has(mode, SOCKET)) return 'socket'
  const [type = 'file'] = types.find(([, bits]) => has(mode, bits)) ?? []
  return type === 'hardlink' ? 'file' : type
}

/** POSIX permissions with setuid, setgid and sticky. */
export function permissionsOfMode(mode: number): number {
  return special.reduce((bits, [go, posix]) => (has(mode, go) ? bits | posix : bits), mode & 0o777)
}

export function goMode(type: TarType, permissions: number): number {
  const [, bits = 0] = types.find(([name]) => name === type) ?? []
  const more = special.reduce((sum, [go, posix]) => ((permissions & posix) === 0 ? sum : sum + go), 0)
  return bits + more + (permissions & 0o777)
}

function has(mode: number, bits: number): boolean {
  return (mode & bits) === (bits | 0)
}
