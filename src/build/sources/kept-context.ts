import { createHash, type Hash, randomBytes } from 'node:crypto'
import { lstat, mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Digest, digestFrom, isDigest } from '#base/digest.ts'
import { isErrno } from '#base/errors.ts'
import type { TarMember } from '#oci/tar/entry.ts'
import { TarParser } from '#oci/tar/parser.ts'
import { writeFileDurably } from '#os/files.ts'
import { INDEX } from './kept-store.ts'
import { SpoolFile, writeSpool } from './spool-file.ts'

/** Content of a file of a client's directory, and what was said of the file when it was sent. */
export interface KeptFile {
  readonly mode: number
  readonly seconds: number
  readonly nanoseconds: number
  readonly size: number
  readonly digest: Digest
  /** Name of the archive that it lies in, and where. */
  readonly pack: string
  readonly offset: number
}

const PACK = /^[0-9a-f]{16}\.tar$/
/** More archives than this are put together. */
const MOST_PACKS = 16
/** Bytes that nobody needs any more are borne until they are this many, and more than the others. */
const BORNE = 64 << 20

/**
 * What is known of one directory of a client: the archives that it has sent (`<random>.tar`), and where in them its files
 * lie (`index.json`, written after them). Of several users at a time only the last one tidies up.
 */
export class KeptContext {
  readonly directory: string
  readonly #files: Map<string, KeptFile>
  /** The index says something else than is known. */
  #changed = false

  private constructor(directory: string, files: Map<string, KeptFile>) {
    this.directory = directory
    this.#files = files
  }

  /** What an index says, if that is true; anything else is removed. */
  static async load(directory: string): Promise<KeptContext> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const files = await readIndex(directory)
    const needed = new Map<string, number>()
    for (const { pack, offset, size } of files.values()) {
      needed.set(pack, Math.max(needed.get(pack) ?? 0, offset + size))
    }
    const whole = new Set<string>()
    for (const name of await readdir(directory)) {
      const size = needed.get(name)
      if (size !== undefined && (await lstat(join(directory, name))).size >= size) whole.add(name)
      else if (PACK.test(name)) await rm(join(directory, name))
    }
    for (const [path, { pack }] of files) if (!whole.has(pack)) files.delete(path)
    return new KeptContext(directory, files)
  }

  /** The content of the file that a list names, if it was sent before and has not changed since. */
  known(member: TarMember): KeptFile | undefined {
    const file = this.#files.get(member.path)
    return file !== undefined && isSame(file, member) ? file : undefined
  }

  /**
   * Takes an archive with the contents of `wanted` (by path). Calls back for each; what it throws, such as for a member that
   * nobody wanted, ends it, and nothing of the archive is kept.
   */
  async take(
    tar: AsyncIterable<Uint8Array>,
    check: (member: TarMember) => void,
    onFile: (path: string, file: KeptFile) => void,
  ): Promise<void> {
    const pack = `${randomBytes(8).toString('hex')}.tar`
    const path = join(this.directory, pack)
    const taken = new Map<string, KeptFile>()
    let current: { readonly member: TarMember; readonly hash: Hash; left: number } | undefined
    const finish = (): void => {
      if (current === undefined || current.left > 0) return
      const { mode, seconds, nanoseconds, size, offset, path: name } = current.member
      const digest = digestFrom(current.hash)
      taken.set(name, { mode, seconds, nanoseconds, size, digest, pack, offset })
      current = undefined
    }
    const parser = new TarParser({
      entry: (member) => {
        check(member)
        current = { member, hash: createHash('sha256'), left: member.size }
        finish()
      },
      data: (bytes) => {
        if (current === undefined) return
        current.hash.update(bytes)
        current.left -= bytes.length
        finish()
      },
    })
    try {
      await writeSpool(path, tar, (chunk) => parser.push(chunk))
      parser.end()
    } catch (error) {
      await rm(path, { force: true })
      throw error
    }
    this.#changed = true
    for (const [name, file] of taken) {
      this.#files.set(name, file)
      onFile(name, file)
    }
  }

  open(pack: string): SpoolFile {
    return new SpoolFile(join(this.directory, pack))
  }

  /** Keeps what the last list had, and nothing else; survives a power cut. Of `empty` nothing needs to be kept. */
  async save(listed: readonly TarMember[]): Promise<'saved' | 'unchanged' | 'empty'> {
    const kept = new Map<string, KeptFile>()
    for (const member of listed) {
      const file = member.type === 'file' ? this.known(member) : undefined
      if (file !== undefined) kept.set(member.path, file)
    }
    if (kept.size === 0) return 'empty'
    if (!this.#changed && kept.size === this.#files.size) return 'unchanged'
    await this.#gather(kept)
    const packs = new Set([...kept.values()].map(({ pack }) => pack))
    for (const pack of packs) {
      await using file = await open(join(this.directory, pack), 'r')
      await file.datasync()
    }
    await writeFileDurably(join(this.directory, INDEX), JSON.stringify([...kept]))
    for (const name of await readdir(this.directory)) {
      if (PACK.test(name) && !packs.has(name)) await rm(join(this.directory, name))
    }
    this.#files.clear()
    for (const [path, file] of kept) this.#files.set(path, file)
    this.#changed = false
    return 'saved'
  }

  /** Puts what is left of many archives into one, when most of them is of no use any more. */
  async #gather(kept: Map<string, KeptFile>): Promise<void> {
    const packs = new Set([...kept.values()].map(({ pack }) => pack))
    let stored = 0
    for (const pack of packs) stored += (await lstat(join(this.directory, pack))).size
    const needed = [...kept.values()].reduce((sum, { size }) => sum + size, 0)
    if (packs.size <= MOST_PACKS && stored - needed <= Math.max(BORNE, needed)) return
    const name = `${randomBytes(8).toString('hex')}.tar`
    const inOrder = [...kept].sort(([, a], [, b]) =>
      a.pack === b.pack ? a.offset - b.offset : a.pack < b.pack ? -1 : 1,
    )
    let offset = 0
    const moved = inOrder.map(([path, file]) => {
      const at = offset
      offset += file.size
      return [path, { ...file, pack: name, offset: at }] as const
    })
    await writeSpool(join(this.directory, name), this.#contents(inOrder), () => undefined)
    for (const [path, file] of moved) kept.set(path, file)
  }

  /** One after the other; those of the same archive in a row. */
  async *#contents(files: readonly (readonly [string, KeptFile])[]): AsyncGenerator<Uint8Array> {
    let pack: { readonly name: string; readonly file: SpoolFile } | undefined
    try {
      for (const [, { pack: name, offset, size }] of files) {
        if (pack?.name !== name) {
          await pack?.file[Symbol.asyncDispose]()
          pack = { name, file: this.open(name) }
        }
        yield* pack.file.read(offset, size)
      }
    } finally {
      await pack?.file[Symbol.asyncDispose]()
    }
  }
}

function isSame(
  file: KeptFile,
  { mode, seconds, nanoseconds, size }: Pick<TarMember, 'mode' | 'seconds' | 'nanoseconds' | 'size'>,
): boolean {
  return (
    file.mode === mode && file.seconds === seconds && file.nanoseconds === nanoseconds && file.size === size
  )
}

async function readIndex(directory: string): Promise<Map<string, KeptFile>> {
  try {
    const entries: unknown = JSON.parse(await readFile(join(directory, INDEX), 'utf8'))
    if (!Array.isArray(entries)) return new Map()
    return new Map(entries.filter(isEntry))
  } catch (error) {
    // Nothing is known then, and the client sends all.
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return new Map()
    throw error
  }
}

function isEntry(entry: unknown): entry is [string, KeptFile] {
  if (!Array.isArray(entry) || typeof entry[0] !== 'string') return false
  const { digest, pack, offset, size } = (entry[1] ?? {}) as Partial<KeptFile>
  return (
    isDigest(digest ?? '') &&
    PACK.test(pack ?? '') &&
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(size)
  )
}
