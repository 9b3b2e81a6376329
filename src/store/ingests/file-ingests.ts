import { lstat, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Digest, hexOf, isDigest } from '#base/digest.ts'
import { isErrno } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { KeyedMutex } from '#base/mutex.ts'
import { storageError } from '../snapshots/errors.ts'
import { ingestBusy } from './errors.ts'
import { FileIngest, files } from './file-ingest.ts'
import type { Ingest, Ingests, IngestUsage } from './ingests.ts'
import { readProgress } from './progress-file.ts'

export interface FileIngestsDeps {
  readonly dataRoot: string
  readonly logger: Logger
}

/** Partial blobs as directories: the bytes in a file with holes, and beside it which of them have come. */
export class FileIngests implements Ingests {
  readonly #root: string
  readonly #logger: Logger
  readonly #open = new Set<Digest>()
  /** Opening and removing do not overlap. */
  readonly #locks = new KeyedMutex()

  constructor({ dataRoot, logger }: FileIngestsDeps) {
    this.#root = join(dataRoot, 'ingests')
    this.#logger = logger
  }

  async recover(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.#root)) {
      const path = join(this.#root, name)
      if (isDigest(`sha256:${name}`) && (await readProgress(join(path, files.progress))) !== undefined)
        continue
      this.#logger.warn('removed what is no partial blob', { path })
      await rm(path, { recursive: true, force: true })
    }
  }

  async open({ digest, size }: { readonly digest: Digest; readonly size: number }): Promise<Ingest> {
    using _lock = await this.#locks.acquire(digest)
    if (this.#open.has(digest)) throw ingestBusy(digest)
    this.#open.add(digest)
    const path = this.#path(digest)
    try {
      return await FileIngest.open(path, { digest, size }, () => this.#open.delete(digest))
    } catch (error) {
      this.#open.delete(digest)
      throw storageError(error, path)
    }
  }

  async remove(digest: Digest): Promise<void> {
    using _lock = await this.#locks.acquire(digest)
    if (!this.#open.has(digest)) await rm(this.#path(digest), { recursive: true, force: true })
  }

  async list(): Promise<readonly IngestUsage[]> {
    const usages: IngestUsage[] = []
    for (const name of await readdir(this.#root)) {
      const digest = `sha256:${name}`
      const usage = isDigest(digest) ? await this.#usage(digest) : undefined
      if (usage !== undefined) usages.push(usage)
    }
    return usages
  }

  async expire(before: number): Promise<readonly IngestUsage[]> {
    const expired = (await this.list()).filter(({ touched, open }) => !open && touched < before)
    for (const { digest } of expired) await this.remove(digest)
    return expired
  }

  async #usage(digest: Digest): Promise<IngestUsage | undefined> {
    const path = this.#path(digest)
    try {
      const progress = await readProgress(join(path, files.progress))
      if (progress === undefined) return undefined
      const data = await stat(join(path, files.data))
      const written = await stat(join(path, files.progress))
      const directory = await lstat(path)
      const stored = (data.blocks + written.blocks + directory.blocks) * 512
      return {
        digest,
        size: progress.size,
        stored,
        touched: Math.max(data.mtimeMs, written.mtimeMs),
        open: this.#open.has(digest),
      }
    } catch (error) {
      // Removed since it was listed.
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  }

  #path(digest: Digest): string {
    return join(this.#root, hexOf(digest))
  }
}
