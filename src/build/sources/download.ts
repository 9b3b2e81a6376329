import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { type Digest, digestFrom, digestOf, hexOf, isDigest } from '#base/digest.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import { encodeBytes, type TarMember } from '#oci/tar/entry.ts'
import { LayerTree } from '#oci/tar/layer-tree.ts'
import { fileSize, writeFileDurably } from '#os/files.ts'
import type { Helper } from '#os/helper.ts'
import type { Environment } from '#registry/client/proxy.ts'
import { downloadName } from '../graph/download-name.ts'
import type { DownloadOrigin } from '../graph/operations.ts'
import type { FileSource } from './file-source.ts'
import { type HttpAnswer, httpGet } from './http-get.ts'
import { INDEX, KeptStore } from './kept-store.ts'
import type { Spool } from './source-copies.ts'
import { SpoolFile, writeSpool } from './spool-file.ts'
import { TreeSource } from './tree-source.ts'

export interface DownloadsDeps {
  readonly dataRoot: string
  readonly helper: Pick<Helper, 'removeTree'>
  readonly spool: Spool
  readonly environment: Environment
  readonly clock: Clock
  /** Bytes of one download; 32 GiB by default. */
  readonly largest?: number | undefined
  /** Bytes of all that is kept for later; 4 GiB by default. */
  readonly kept?: number | undefined
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined
  /** Value of the header for this address's host. */
  readonly authorization?: string | undefined
}

/** What is known of a download that is kept. */
interface Kept {
  readonly url: string
  readonly digest: Digest
  readonly size: number
  /** Seconds since 1970; 0 when the server does not say. */
  readonly modified: number
  readonly etag: string | undefined
  readonly lastModified: string | undefined
}

const LARGEST = 32 * 2 ** 30
const KEPT = 4 * 2 ** 30
const BODY = 'body'

/**
 * Files of web servers, kept in `DATA_ROOT/build/downloads/<digest of the address>`: a server is asked whether what is here
 * is still current, and not even that when the checksum is known. What was used longest ago goes when it becomes too much.
 */
export class Downloads {
  readonly store: KeptStore
  readonly #deps: DownloadsDeps

  constructor(deps: DownloadsDeps) {
    const { dataRoot, helper, clock, kept: limit = KEPT } = deps
    this.#deps = deps
    this.store = new KeptStore({ directory: join(dataRoot, 'build', 'downloads'), helper, clock, limit })
  }

  /**
   * One file, mode 0600, named as the address's path ends, of the time that the server says. With a checksum anything else is
   * `invalid_argument`.
   */
  async open(origin: DownloadOrigin, options: DownloadOptions = {}): Promise<FileSource> {
    const source = await this.#open(origin, options)
    await this.store.tidy()
    return source
  }

  async #open(origin: DownloadOrigin, options: DownloadOptions): Promise<FileSource> {
    const key = hexOf(digestOf(origin.url))
    const place = this.store.path(key)
    using _lock = await this.store.lock(key, { signal: options.signal })
    const before = await readKept(place, origin.url)
    const kept =
      before !== undefined && before.digest === origin.checksum
        ? before
        : await this.#current(origin, place, before, options)
    await this.store.touch(key)
    return sourceOf(origin.url, kept, new SpoolFile(join(place, BODY)), this.#deps.spool)
  }

  /** Address and last use of what is kept. */
  async describe(key: string): Promise<string> {
    const kept = await readIndex(this.store.path(key))
    return `http url ${kept?.url ?? 'of an unfinished download'}`
  }

  async #current(
    { url, checksum }: DownloadOrigin,
    place: string,
    before: Kept | undefined,
    { signal, authorization }: DownloadOptions,
  ): Promise<Kept> {
    const { environment } = this.#deps
    // What is here has another checksum than is wanted: to hear that it is current would not help.
    const headers = checksum === undefined && before !== undefined ? conditionsOf(before) : {}
    using answer = await httpGet(url, { signal, authorization, environment, headers })
    if (answer.status === 304 && before !== undefined) return before
    await using directory = await this.#deps.spool.take()
    const body = join(directory.path, BODY)
    const { digest, size } = await this.#write(body, url, answer, signal)
    if (checksum !== undefined && checksum !== digest) throw wrongChecksum(url, checksum, digest)
    const { etag, 'last-modified': lastModified } = answer.headers
    const modified = Math.max(Math.floor(Date.parse(lastModified ?? '') / 1000) || 0, 0)
    const kept = { url, digest, size, modified, etag, lastModified }
    await this.#keep(place, body, kept)
    return kept
  }

  async #write(
    path: string,
    url: string,
    { bytes, headers }: HttpAnswer,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    const { largest = LARGEST } = this.#deps
    if (Number(headers['content-length']) > largest) throw tooLarge(url, largest)
    const hash = createHash('sha256')
    let size = 0
    await writeSpool(path, bytes, (chunk) => {
      signal?.throwIfAborted()
      size += chunk.length
      if (size > largest) throw tooLarge(url, largest)
      hash.update(chunk)
    })
    return { digest: digestFrom(hash), size }
  }

  /** What is known is written last, after what it says is true for good. */
  async #keep(place: string, body: string, kept: Kept): Promise<void> {
    await this.#deps.helper.removeTree(place)
    await mkdir(place, { recursive: true, mode: 0o700 })
    await using file = await open(body, 'r+')
    await file.datasync()
    await rename(body, join(place, BODY))
    await writeFileDurably(join(place, INDEX), JSON.stringify(kept))
  }
}

async function readKept(place: string, url: string): Promise<Kept | undefined> {
  const kept = await readIndex(place)
  if (kept?.url !== url || (await fileSize(join(place, BODY))) !== kept.size) return undefined
  return kept
}

async function readIndex(place: string): Promise<Kept | undefined> {
  try {
    const kept = JSON.parse(await readFile(join(place, INDEX), 'utf8')) as Partial<Kept>
    const { url = '', digest = '', size = -1, modified = 0, etag, lastModified } = kept
    return isDigest(digest) ? { url, digest, size, modified, etag, lastModified } : undefined
  } catch (error) {
    // What cannot be understood is fetched again.
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}

function conditionsOf({ etag, lastModified }: Kept): Record<string, string> {
  if (etag !== undefined) return { 'if-none-match': etag }
  return lastModified === undefined ? {} : { 'if-modified-since': lastModified }
}

function sourceOf(url: string, { digest, size, modified }: Kept, file: SpoolFile, copies: Spool): FileSource {
  const tree = new LayerTree({ plain: true })
  tree.entry({ ...nameless, path: encodeBytes(downloadName(url)), size, stored: size, seconds: modified })
  return new TreeSource({
    name: url,
    tree,
    copies,
    contents: {
      read: () => file.read(0, size),
      digest: () => digest,
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    },
  })
}

const nameless: Omit<TarMember, 'path'> = {
  type: 'file',
  link: '',
  mode: 0o600,
  uid: 0,
  gid: 0,
  seconds: 0,
  nanoseconds: 0,
  size: 0,
  offset: 0,
  stored: 0,
  extents: undefined,
  major: 0,
  minor: 0,
  xattrs: undefined,
}

function wrongChecksum(url: string, wanted: Digest, found: Digest): EngineError {
  return new EngineError(
    'invalid_argument',
    `digest mismatch ${found}: ${wanted} (${url})\nThe server sends something else than --checksum says.`,
    { code: 'DOWNLOAD_CHECKSUM', details: { url, wanted, found } },
  )
}

function tooLarge(url: string, limit: number): EngineError {
  return new EngineError('resource_exhausted', `${url} has more than the ${limit} bytes that are fetched`, {
    code: 'DOWNLOAD_TOO_LARGE',
    details: { url, limit },
  })
}
