import { randomUUID } from 'node:crypto'
import { constants, renameSync, statSync } from 'node:fs'
import { link, mkdir, open, opendir, rename, rm, stat, utimes, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Clock, systemClock } from '#base/clock.ts'
import { hexOf, isDigest, type Digest } from '#base/digest.ts'
import { isErrno } from '#base/errors.ts'
import { KeyedMutex } from '#base/mutex.ts'
import { syncDirectory } from '#os/files.ts'
import { linkTwin, type TwinOf } from '#store/content/twin.ts'
import { blobUnknown, rangeOutside, uploadBusy, uploadUnknown } from './errors.ts'
import { FileRange } from './file-range.ts'
import { FileUpload, type RunningHash } from './file-upload.ts'
import type { BlobFacts, BlobStorage, Upload } from './storage.ts'

/** An upload's id is a file's name: nothing else may be one. */
const UPLOAD_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Ends the name of a file that is about to be removed. */
const ASIDE = '.removed'

/**
 * Blobs as files: `ROOT/blobs/sha256/<ab>/<hex>`, received in `ROOT/uploads/<id>`. A file at a final path is whole and
 * durable: it is synced, renamed, and its directory synced before anybody is told. The time of a file is when it was
 * written or touched last. `recover()` must have resolved before anything else is called.
 */
export class FileBlobs implements BlobStorage {
  readonly #blobs: string
  readonly #uploads: string
  readonly #clock: Clock
  readonly #twinOf: TwinOf | undefined
  readonly #running = new Map<string, RunningHash>()
  readonly #held = new Set<string>()
  /** Per digest: writing, touching and removing do not overlap. */
  readonly #locks = new KeyedMutex()

  /** What `twinOf` names is linked instead of kept once more. */
  constructor(deps: { readonly root: string; readonly clock?: Clock; readonly twinOf?: TwinOf | undefined }) {
    this.#blobs = join(deps.root, 'blobs', 'sha256')
    this.#uploads = join(deps.root, 'uploads')
    this.#clock = deps.clock ?? systemClock
    this.#twinOf = deps.twinOf
  }

  async recover(): Promise<void> {
    await mkdir(this.#blobs, { recursive: true, mode: 0o700 })
    await mkdir(this.#uploads, { recursive: true, mode: 0o700 })
    for (const directory of [this.#blobs, dirname(this.#blobs), dirname(this.#uploads)]) {
      await syncDirectory(directory)
    }
  }

  async stat(digest: Digest): Promise<BlobFacts | undefined> {
    return factsOf(this.#path(digest))
  }

  async read(
    digest: Digest,
    range?: { readonly offset: number; readonly end: number },
  ): Promise<AsyncIterable<Uint8Array>> {
    const file = await openExisting(this.#path(digest), constants.O_RDONLY)
    if (file === undefined) throw blobUnknown(digest)
    try {
      const { size } = await file.stat()
      const { offset, end } = range ?? { offset: 0, end: size }
      if (offset < 0 || end > size || offset > end) throw rangeOutside(offset, end, size)
      if (offset === end) {
        await file.close()
        return nothing()
      }
      return new FileRange(file, offset, end)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async begin(): Promise<string> {
    const id = randomUUID()
    await using _created = await open(join(this.#uploads, id), 'wx', 0o600)
    return id
  }

  async upload(id: string): Promise<Upload> {
    if (!UPLOAD_ID.test(id)) throw uploadUnknown(id)
    if (this.#held.has(id)) throw uploadBusy(id)
    this.#held.add(id)
    try {
      const path = join(this.#uploads, id)
      const file = await openExisting(path, constants.O_RDWR)
      if (file === undefined) throw uploadUnknown(id)
      return await this.#hold(id, path, file)
    } catch (error) {
      this.#held.delete(id)
      throw error
    }
  }

  async *uploads(): AsyncGenerator<{ readonly id: string; readonly size: number; readonly touched: number }> {
    for await (const { name } of await opendir(this.#uploads)) {
      if (!UPLOAD_ID.test(name)) continue
      const facts = await factsOf(join(this.#uploads, name))
      if (facts !== undefined) yield { id: name, ...facts }
    }
  }

  async *blobs(): AsyncGenerator<{ readonly digest: Digest } & BlobFacts> {
    for await (const directory of await opendir(this.#blobs)) {
      if (!directory.isDirectory()) continue
      for await (const { name } of await opendir(join(this.#blobs, directory.name))) {
        if (name.endsWith(ASIDE)) await putBack(join(this.#blobs, directory.name, name))
        const digest = `sha256:${name}`
        if (!isDigest(digest) || !name.startsWith(directory.name)) continue
        const facts = await factsOf(this.#path(digest))
        if (facts !== undefined) yield { digest, ...facts }
      }
    }
  }

  async remove(digest: Digest, unlessSince?: number): Promise<boolean> {
    using _lock = await this.#locks.acquire(digest)
    const path = this.#path(digest)
    const facts = await factsOf(path)
    if (facts !== undefined && unlessSince !== undefined && facts.touched >= unlessSince) return false
    return facts === undefined || (await takeAway(path, unlessSince))
  }

  async touch(digest: Digest): Promise<void> {
    using _lock = await this.#locks.acquire(digest)
    try {
      await this.#renew(this.#path(digest))
    } catch (error) {
      if (isErrno(error, 'ENOENT')) throw blobUnknown(digest)
      throw error
    }
  }

  async #hold(id: string, path: string, file: FileHandle): Promise<Upload> {
    try {
      const { size } = await file.stat()
      return new FileUpload({
        id,
        path,
        file,
        size,
        running: this.#running.get(id),
        publish: (digest, length) => this.#publish(path, digest, length),
        release: (running) => {
          if (running === undefined) this.#running.delete(id)
          else this.#running.set(id, running)
          this.#held.delete(id)
        },
      })
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Replaces what is there under this digest, which heals a damaged file. */
  async #publish(upload: string, digest: Digest, size: number): Promise<BlobFacts> {
    using _lock = await this.#locks.acquire(digest)
    const target = this.#path(digest)
    const directory = dirname(target)
    if ((await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined) {
      await syncDirectory(this.#blobs)
    }
    const touched = await this.#renew(upload)
    if (await this.#linkTwin(target, digest, size)) await rm(upload)
    else await rename(upload, target)
    await syncDirectory(directory)
    return { size, touched }
  }

  /** Its time is renewed first: collection must not find an old file at a final path. */
  async #linkTwin(target: string, digest: Digest, size: number): Promise<boolean> {
    const twin = this.#twinOf?.(digest)
    if (twin === undefined || (await factsOf(twin)) === undefined) return false
    try {
      await this.#renew(twin)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false
      throw error
    }
    return linkTwin(twin, target, { digest, size })
  }

  async #renew(path: string): Promise<number> {
    const now = this.#clock.now()
    await utimes(path, now, now)
    return now.getTime()
  }

  #path(digest: Digest): string {
    const hex = hexOf(digest)
    return join(this.#blobs, hex.slice(0, 2), hex)
  }
}

/**
 * Another process may put a new file there, or renew this one, after it was looked at (collection runs in one of its
 * own): what was moved aside is looked at again, and put back when it is young.
 */
async function takeAway(path: string, unlessSince: number | undefined): Promise<boolean> {
  const aside = `${path}${ASIDE}`
  try {
    // Synchronous, so that what is put back has been away for no longer than three system calls take.
    renameSync(path, aside)
    if (unlessSince !== undefined && Math.floor(statSync(aside).mtimeMs) >= unlessSince) {
      renameSync(aside, path)
      return false
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true
    throw error
  }
  await rm(aside, { force: true })
  return true
}

/** A crash has left a file aside: it goes back, to be looked at again, unless there is another one. */
async function putBack(aside: string): Promise<void> {
  try {
    // The kernel's time of the renaming. Younger ones are in somebody's hands.
    if ((await stat(aside)).ctimeMs > Date.now() - 60_000) return
    await link(aside, aside.slice(0, -ASIDE.length))
  } catch (error) {
    if (!isErrno(error, 'EEXIST', 'ENOENT')) throw error
  }
  await rm(aside, { force: true })
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An empty blob has no bytes to read.
}

async function openExisting(path: string, flags: number): Promise<FileHandle | undefined> {
  try {
    // A symbolic link is nothing that we have written.
    return await open(path, flags | constants.O_NOFOLLOW)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

async function factsOf(path: string): Promise<BlobFacts | undefined> {
  try {
    const stats = await stat(path)
    return stats.isFile() ? { size: stats.size, touched: Math.floor(stats.mtimeMs) } : undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
