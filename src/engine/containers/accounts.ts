import type { Stats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '#base/digest.ts'
import { EngineError, isErrno, isKind } from '#base/errors.ts'
import type { Helper } from '#os/helper.ts'
import type { TreeRoot, Trees } from '#os/tree.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Container } from './container.ts'
import type { TreeRoots } from './tree-roots.ts'

/** Texts of the container's own /etc/passwd and /etc/group; empty when it has none. */
export interface AccountFiles {
  readonly passwd: string
  readonly group: string
}

export interface AccountsDeps {
  readonly snapshots: Snapshots
  readonly trees: Trees
  readonly helper: Helper
  readonly roots: TreeRoots
  /** Upper directory of a container's snapshot. */
  readonly upper: (id: string) => string
}

/** More than any real machine has; a larger file is an attack on the reader's memory. */
const MAX_SIZE = 1024 * 1024
const FILES = ['passwd', 'group'] as const

/**
 * Reads who the users of a container are. The files of an image are read once; a container's own are read again for
 * every process as soon as it has changed /etc or mounted something there.
 */
export class Accounts {
  readonly #deps: AccountsDeps
  readonly #ofImage = new Map<string, Promise<AccountFiles>>()

  constructor(deps: AccountsDeps) {
    this.#deps = deps
  }

  async of(container: Container): Promise<AccountFiles> {
    if (!(await this.#changed(container))) return this.ofLayers(container.layers)
    await using whole = await this.#deps.roots.whole(container)
    return await this.#read(whole.root)
  }

  ofLayers(layers: readonly Digest[]): Promise<AccountFiles> {
    const key = layers.join()
    const known = this.#ofImage.get(key) ?? this.#readLayers(layers)
    this.#ofImage.set(key, known)
    known.catch(() => this.#ofImage.delete(key))
    return known
  }

  async #changed(container: Container): Promise<boolean> {
    if (
      container.mounts.some(({ destination }) => destination === '/' || `${destination}/`.startsWith('/etc/'))
    ) {
      return true
    }
    const etc = join(this.#deps.upper(container.id), 'etc')
    const kind = await lstatOrUndefined(etc)
    if (kind === undefined) return false
    if (!kind.isDirectory()) return true
    const found = await Promise.all(FILES.map((name) => lstatOrUndefined(join(etc, name))))
    return found.some((stat) => stat !== undefined)
  }

  async #readLayers(layers: readonly Digest[]): Promise<AccountFiles> {
    await using view = await this.#deps.snapshots.view(layers)
    return await this.#read({ join: this.#deps.helper.pid, root: view.path })
  }

  async #read(root: TreeRoot): Promise<AccountFiles> {
    const [passwd, group] = await Promise.all(FILES.map((name) => this.#readFile(root, `/etc/${name}`)))
    return { passwd: passwd ?? '', group: group ?? '' }
  }

  async #readFile(root: TreeRoot, path: string): Promise<string> {
    const chunks: Uint8Array[] = []
    try {
      for await (const { record, data } of this.#deps.trees.read(root, path, { follow: true })) {
        if (record.type !== 'file') return ''
        if (record.size > MAX_SIZE) throw tooLarge(path, record.size)
        for await (const chunk of data) chunks.push(chunk)
      }
    } catch (error) {
      if (isKind(error, 'not_found')) return ''
      throw error
    }
    return Buffer.concat(chunks).toString('utf8')
  }
}

function tooLarge(path: string, size: number): EngineError {
  return new EngineError(
    'invalid_argument',
    `${path} of the container has ${size} bytes; at most ${MAX_SIZE} are read`,
    {
      code: 'ACCOUNTS_TOO_LARGE',
    },
  )
}

async function lstatOrUndefined(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}
