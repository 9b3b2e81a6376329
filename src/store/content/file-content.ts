import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hexOf, isDigest, type Digest, digestOf } from '#base/digest.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import { syncDirectory } from '#os/files.ts'
import { allocatedBytes } from '../usage/blocks.ts'
import type { Content } from './content.ts'
import { damagedBlob, noSuchBlob, wrongDigest } from './errors.ts'
import { linkTwin, type TwinOf } from './twin.ts'

/** Manifests and configs are small; whatever is larger was not written by us (CVE-2021-21285). */
const MAX_BLOB = 64 << 20

/**
 * Blobs as files of an OCI image layout: `DATA_ROOT/blobs/sha256/<hex>`, written in `DATA_ROOT/staging` and renamed.
 * `recover()` must have resolved before anything is written.
 */
export class FileContent implements Content {
  readonly #blobs: string
  readonly #staging: string
  readonly #twinOf: TwinOf | undefined

  /** What `twinOf` names is linked instead of written once more. */
  constructor(deps: { readonly dataRoot: string; readonly twinOf?: TwinOf | undefined }) {
    this.#blobs = join(deps.dataRoot, 'blobs', 'sha256')
    this.#staging = join(deps.dataRoot, 'staging')
    this.#twinOf = deps.twinOf
  }

  /** Makes the directories. What a crash has left in `staging` is removed by whoever empties that. */
  async recover(): Promise<void> {
    await mkdir(this.#blobs, { recursive: true, mode: 0o755 })
    await mkdir(this.#staging, { recursive: true, mode: 0o755 })
  }

  async write(bytes: Uint8Array, options: { readonly expected?: Digest | undefined } = {}): Promise<Digest> {
    const digest = digestOf(bytes)
    if (options.expected !== undefined && options.expected !== digest)
      throw wrongDigest(options.expected, digest)
    if (bytes.length > MAX_BLOB) throw tooLarge(bytes.length)
    if (!(await this.#isIntact(digest))) await this.#replace(digest, bytes)
    return digest
  }

  async read(digest: Digest): Promise<Uint8Array> {
    const path = this.#path(digest)
    let bytes: Buffer
    try {
      // A symbolic link is nothing that we have written.
      await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
      const { size } = await file.stat()
      if (size > MAX_BLOB) throw damagedBlob(digest)
      bytes = await file.readFile()
    } catch (error) {
      if (isErrno(error, 'ENOENT')) throw noSuchBlob(digest)
      if (isErrno(error, 'ELOOP', 'EIO')) throw damagedBlob(digest, error)
      throw error
    }
    if (digestOf(bytes) !== digest) throw damagedBlob(digest)
    return bytes
  }

  async has(digest: Digest): Promise<boolean> {
    try {
      return (await stat(this.#path(digest))).isFile()
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false
      throw error
    }
  }

  async *list(): AsyncGenerator<{ readonly digest: Digest; readonly size: number }> {
    for await (const { name } of await opendir(this.#blobs)) {
      const digest = `sha256:${name}`
      if (!isDigest(digest)) continue
      const stats = await stat(this.#path(digest)).catch((error: unknown) => {
        // Removed since it was listed.
        if (isErrno(error, 'ENOENT')) return undefined
        throw error
      })
      if (stats !== undefined) yield { digest, size: stats.size }
    }
  }

  async space(digest: Digest): Promise<number> {
    return allocatedBytes(this.#path(digest))
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.#path(digest), { force: true })
  }

  async #isIntact(digest: Digest): Promise<boolean> {
    try {
      await this.read(digest)
      return true
    } catch (error) {
      if (error instanceof EngineError && (error.kind === 'not_found' || error.kind === 'data_loss'))
        return false
      throw error
    }
  }

  async #replace(digest: Digest, bytes: Uint8Array): Promise<void> {
    const target = this.#path(digest)
    const twin = this.#twinOf?.(digest)
    const linked = twin !== undefined && (await linkTwin(twin, target, { digest, size: bytes.length }))
    if (!linked) await this.#writeFile(target, bytes)
    await syncDirectory(this.#blobs)
  }

  async #writeFile(target: string, bytes: Uint8Array): Promise<void> {
    const temporary = join(this.#staging, `blob-${randomBytes(8).toString('hex')}`)
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL
      await using file = await open(temporary, flags, 0o600)
      await file.writeFile(bytes)
      await file.datasync()
      await rename(temporary, target)
    } catch (error) {
      await rm(temporary, { force: true })
      if (!isErrno(error, 'ENOSPC', 'EDQUOT')) throw error
      throw new EngineError('resource_exhausted', `no space left on device: ${target}`, {
        code: 'DISK_FULL',
        details: { path: target },
        cause: error,
      })
    }
  }

  #path(digest: Digest): string {
    return join(this.#blobs, hexOf(digest))
  }
}

function tooLarge(size: number): EngineError {
  return new EngineError('invalid_argument', `blob of ${size} bytes is too large`, {
    code: 'BLOB_TOO_LARGE',
    details: { size, limit: MAX_BLOB },
  })
}
