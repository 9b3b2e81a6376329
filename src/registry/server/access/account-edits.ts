import { chown, readFile, realpath, stat } from 'node:fs/promises'
import { EngineError, isErrno } from '#base/errors.ts'
import { writeFileDurably } from '#os/files.ts'
import type { PasswordHashes } from './bcrypt.ts'
import {
  checkAccountName,
  checkPassword,
  hasAccount,
  parseHtpasswd,
  withAccount,
  withoutAccount,
  type Htpasswd,
} from './htpasswd.ts'

/** Changes an htpasswd file: durably, whole or not at all, and with the owner and mode it had. One editor at a time. */
export class AccountEdits {
  readonly #path: string
  readonly #hashes: PasswordHashes

  constructor(path: string, hashes: PasswordHashes) {
    this.#path = path
    this.#hashes = hashes
  }

  /** As far as they can be understood; no file is no accounts. */
  async list(): Promise<Htpasswd> {
    return parseHtpasswd(await this.#read())
  }

  /** Makes the file when there is none. Rejects with `conflict` or `invalid_argument`. */
  async add(name: string, password: string): Promise<void> {
    checkAccountName(name)
    checkPassword(password)
    const hash = await this.#hashes.hash(password)
    const text = await this.#read()
    if (parseHtpasswd(text).accounts.has(name)) {
      throw new EngineError('conflict', `there is an account ${name} already`, { code: 'ACCOUNT_TAKEN' })
    }
    // Its line may be there with a hash that is not accepted; it is replaced.
    await this.#write(withAccount(text, { name, hash }))
  }

  /** Rejects with `not_found` or `invalid_argument`. */
  async setPassword(name: string, password: string): Promise<void> {
    checkPassword(password)
    const hash = await this.#hashes.hash(password)
    const text = await this.#read()
    if (!hasAccount(text, name)) throw this.#noSuchAccount(name)
    await this.#write(withAccount(text, { name, hash }))
  }

  /** Rejects with `not_found`. */
  async remove(name: string): Promise<void> {
    const text = await this.#read()
    if (!hasAccount(text, name)) throw this.#noSuchAccount(name)
    await this.#write(withoutAccount(text, name))
  }

  #noSuchAccount(name: string): EngineError {
    return new EngineError('not_found', `there is no account ${name} in ${this.#path}`, {
      code: 'ACCOUNT_NOT_FOUND',
    })
  }

  async #read(): Promise<string> {
    try {
      return await readFile(this.#path, 'utf8')
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return ''
      throw error
    }
  }

  async #write(text: string): Promise<void> {
    const before = await this.#facts()
    if (before === undefined) return writeFileDurably(this.#path, text, { mode: 0o600 })
    // Through a link: what it points to is replaced, not the link.
    await writeFileDurably(before.path, text, { mode: before.mode })
    await chown(before.path, before.uid, before.gid)
  }

  async #facts(): Promise<{ path: string; mode: number; uid: number; gid: number } | undefined> {
    try {
      const path = await realpath(this.#path)
      const { mode, uid, gid } = await stat(path)
      return { path, mode: mode & 0o777, uid, gid }
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  }
}
