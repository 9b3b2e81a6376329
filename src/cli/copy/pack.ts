import { createReadStream, lstatSync, readdirSync, readlinkSync, type BigIntStats } from 'node:fs'
import type { TarEntry, TarType } from '#oci/tar/entry.ts'
import { decodeBytes } from '#oci/tar/entry.ts'
import type { TarSource } from '#oci/tar/write-tar.ts'

const CHUNK = 1 << 20
const nothing: readonly Uint8Array[] = []

/**
 * The files below `path` as members of an archive in which `path` itself is called `name` (`''`: only what is in it).
 * Links are not followed; hard links between the files stay hard links; sockets are left out, and so is what `skips` says.
 */
export function* pack(
  path: string,
  name: string,
  skips: (name: string, isDirectory: boolean) => boolean = () => false,
): Generator<TarSource> {
  yield* walk(Buffer.from(path), Buffer.from(name), { links: new Map(), skips })
}

interface Walk {
  /** Names of files with several, by device and inode. */
  readonly links: Map<string, string>
  readonly skips: (name: string, isDirectory: boolean) => boolean
}

function* walk(path: Buffer, name: Buffer, { links, skips }: Walk): Generator<TarSource> {
  const stat = lstatSync(path, { bigint: true })
  const type = typeOf(stat)
  if (type === undefined) return
  const text = decodeBytes(name.toString('latin1'))
  if (name.length > 0) {
    if (skips(text, type === 'directory')) return
    yield member(path, text, type, stat, links)
  }
  if (type !== 'directory') return
  for (const child of readdirSync(path, { encoding: 'buffer' }).sort((a, b) => Buffer.compare(a, b))) {
    yield* walk(join(path, child), name.length === 0 ? child : join(name, child), { links, skips })
  }
}

function member(
  path: Buffer,
  name: string,
  type: TarType,
  stat: BigIntStats,
  links: Map<string, string>,
): TarSource {
  const common = {
    path: name,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: {
      seconds: Number(stat.mtimeNs / 1_000_000_000n),
      nanoseconds: Number(stat.mtimeNs % 1_000_000_000n),
    },
  }
  const identity = `${stat.dev}:${stat.ino}`
  const earlier = stat.nlink > 1n && type !== 'directory' ? links.get(identity) : undefined
  if (earlier !== undefined)
    return { entry: { ...common, type: 'hardlink', size: 0, link: earlier }, data: nothing }
  if (stat.nlink > 1n) links.set(identity, name)

  switch (type) {
    case 'file': {
      const size = Number(stat.size)
      const entry: TarEntry = { ...common, type, size }
      return { entry, data: size === 0 ? nothing : content(path, size) }
    }
    case 'symlink': {
      const link = decodeBytes(readlinkSync(path, { encoding: 'buffer' }).toString('latin1'))
      return { entry: { ...common, type, size: 0, link }, data: nothing }
    }
    case 'char':
    case 'block': {
      const { major, minor } = numbers(stat.rdev)
      return { entry: { ...common, type, size: 0, major, minor }, data: nothing }
    }
    default:
      return { entry: { ...common, type, size: 0 }, data: nothing }
  }
}

/**
 * Exactly `size` bytes, or fewer when the file has shrunk: what was written since its size was taken is left out. Opened
 * when it is read: who only lists a tree opens nothing.
 */
async function* content(path: Buffer, size: number): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path, { highWaterMark: CHUNK, end: size - 1 })
}

function typeOf(stat: BigIntStats): TarType | undefined {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return 'symlink'
  if (stat.isCharacterDevice()) return 'char'
  if (stat.isBlockDevice()) return 'block'
  return stat.isFIFO() ? 'fifo' : undefined
}

/** As makedev(3) puts them together. */
function numbers(device: bigint): { major: number; minor: number } {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn)
  return { major: Number(major), minor: Number(minor) }
}

function join(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name])
}
