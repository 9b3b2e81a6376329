import {
  existsSync,
  fsyncSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { mkdir, readdir, rename, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isErrno } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import type { Logger } from '#base/logger.ts'
import type { Helper } from '#os/helper.ts'

/** Beside `_data` while that is being filled. */
const FILLING = '_filling'
/** Beside `_data` of what goes at the next start unless it has a row: a volume being removed, cloned or imported. */
const PASSING = '_removing'
/** Beside `_data` while the volume gets another name: `FROM\nTO`. */
const RENAMING = '_renaming'

/**
 * The directories of volumes, `volumes/NAME/_data` under the data root. What is begun is noted beside the data first, so
 * that `recover()` can finish it or take it back, whichever the row says.
 */
export class VolumeDirectories {
  readonly #dataRoot: string
  readonly #helper: Helper

  constructor(dataRoot: string, helper: Helper) {
    this.#dataRoot = dataRoot
    this.#helper = helper
  }

  /** What containers see. */
  data(name: string): string {
    return join(this.#root(name), '_data')
  }

  /** Made unless it is there. */
  make(name: string): void {
    mkdirSync(this.#root(name), { recursive: true, mode: 0o701 })
    // As Docker has it: a process of any user may look into a volume of its container.
    mkdirSync(this.data(name), { recursive: true, mode: 0o755 })
  }

  exists(name: string): boolean {
    return existsSync(this.#root(name))
  }

  /** Nothing has been written to it yet. */
  async isEmpty(name: string): Promise<boolean> {
    return (await readdir(this.data(name))).length === 0
  }

  /** Notes that the directory is worth nothing without a row. */
  mark(name: string): void {
    if (this.exists(name)) writeMark(join(this.#root(name), PASSING), '')
  }

  unmark(name: string): void {
    rmSync(join(this.#root(name), PASSING), { force: true })
  }

  /** Gives the directory the name that `commit` gives the row. A crash leaves both old or, after recover(), both new. */
  rename(from: string, to: string, commit: () => void): void {
    const mark = join(this.#root(from), RENAMING)
    writeMark(mark, `${from}\n${to}`)
    try {
      commit()
    } catch (error) {
      rmSync(mark, { force: true })
      throw error
    }
    renameSync(this.#root(from), this.#root(to))
  }

  /** Once the row's new name is durable. */
  renamed(to: string): void {
    rmSync(join(this.#root(to), RENAMING), { force: true })
  }

  /** Undefined when there is no directory; else what is left to be removed. */
  moveToTrash(name: string): string | undefined {
    const trash = join(this.#dataRoot, 'trash')
    const target = join(trash, `volume-${newId()}`)
    mkdirSync(trash, { recursive: true, mode: 0o700 })
    try {
      renameSync(this.#root(name), target)
      return target
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  }

  /**
   * Lets `write` fill a directory that becomes the volume's contents, all at once: a crash leaves it empty. `false`:
   * there was nothing to write.
   */
  async fill(name: string, write: (directory: string) => Promise<boolean>): Promise<void> {
    const filling = join(this.#root(name), FILLING)
    await this.#helper.removeTree(filling)
    await mkdir(filling, { mode: 0o755 })
    if (!(await write(filling))) return rmdir(filling)
    await this.#helper.syncfs(filling)
    await rename(filling, this.data(name))
  }

  /**
   * Finishes what a crash interrupted. A volume is never removed because its record is missing: who restores an older
   * database wants the data back.
   */
  async recover(known: (name: string) => boolean, logger: Logger): Promise<void> {
    const root = join(this.#dataRoot, 'volumes')
    await mkdir(root, { recursive: true, mode: 0o700 })
    for (const name of await readdir(root)) this.#finishRename(name, known)
    for (const name of await readdir(root)) {
      const volume = this.#root(name)
      if (known(name)) {
        await this.#helper.removeTree(join(volume, FILLING))
        this.unmark(name)
      } else if (existsSync(join(volume, PASSING)) || (await isBare(volume))) {
        await this.#helper.removeTree(volume)
      } else {
        logger.warn('a volume has no record; create it again to use it', { volume: name })
      }
    }
  }

  #finishRename(name: string, known: (name: string) => boolean): void {
    const mark = join(this.#root(name), RENAMING)
    if (!existsSync(mark)) return
    const [from = '', to = ''] = readFileSync(mark, 'utf8').split('\n')
    const wanted = known(to) ? to : from
    // Not without a row: then it is for a person to say whose it is.
    if (wanted !== name && known(wanted) && !this.exists(wanted))
      renameSync(this.#root(name), this.#root(wanted))
    this.renamed(this.exists(wanted) ? wanted : name)
  }

  #root(name: string): string {
    return join(this.#dataRoot, 'volumes', name)
  }
}

/** Nothing was ever written to it: made by a creation that was not finished. */
async function isBare(volume: string): Promise<boolean> {
  const inside = await readdir(volume)
  if (inside.some((name) => name !== '_data' && name !== FILLING)) return false
  return !inside.includes('_data') || (await readdir(join(volume, '_data'))).length === 0
}

/** On disk before it returns, together with its name. */
function writeMark(file: string, text: string): void {
  for (const [path, content] of [
    [file, text],
    [dirname(file), undefined],
  ] as const) {
    const fd = openSync(path, content === undefined ? 'r' : 'w', 0o600)
    try {
      if (content !== undefined) writeSync(fd, content)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  }
}
