import { readFile, stat } from 'node:fs/promises'
import type { Clock } from '#base/clock.ts'
import { messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { wrongHtpasswd } from './errors.ts'
import { parseHtpasswd, type Account, type Htpasswd } from './htpasswd.ts'

/** The accounts as they are now. */
export interface Accounts {
  all(): Promise<ReadonlyMap<string, Account>>
}

/** How long what was read is good without a look at the file, in milliseconds. */
const FRESH = 1000

/** An htpasswd file; a change takes effect within a second. */
export class HtpasswdFile implements Accounts {
  readonly #path: string
  readonly #clock: Clock
  readonly #logger: Logger
  #accounts: ReadonlyMap<string, Account>
  #version: string
  #looked: number
  #looking: Promise<void> | undefined

  private constructor(path: string, first: Version, { clock, logger }: Options) {
    this.#path = path
    this.#clock = clock
    this.#logger = logger
    this.#accounts = first.content.accounts
    this.#version = first.version
    this.#looked = clock.now().getTime()
  }

  /** Throws `invalid_argument` for a file that cannot be read or has lines that are not accepted; the text names all. */
  static async open(path: string, options: Options): Promise<HtpasswdFile> {
    let first
    try {
      first = await read(path, await versionOf(path))
    } catch (error) {
      throw wrongHtpasswd(`cannot read the accounts in ${path}: ${messageOf(error)}`, error)
    }
    const { refused } = first.content
    if (refused.length > 0) throw wrongHtpasswd(`${path}: ${refused.join('; ')}`)
    return new HtpasswdFile(path, first, options)
  }

  async all(): Promise<ReadonlyMap<string, Account>> {
    const age = this.#clock.now().getTime() - this.#looked
    if (age >= FRESH || age < 0) {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
      await this.#looking
    }
    return this.#accounts
  }

  /** A running registry keeps what it knows when the file is away, and leaves out lines that are not accepted. */
  async #look(): Promise<void> {
    try {
      const version = await versionOf(this.#path)
      if (version === this.#version) return
      const { content } = await read(this.#path, version)
      this.#accounts = content.accounts
      this.#version = version
      this.#logger.info('accounts read again', { path: this.#path, accounts: content.accounts.size })
      for (const refused of content.refused) {
        this.#logger.error('line of accounts refused', { path: this.#path, refused })
      }
    } catch (error) {
      this.#logger.error('accounts cannot be read; those known stay', { path: this.#path, error })
    } finally {
      this.#looked = this.#clock.now().getTime()
    }
  }
}

interface Options {
  readonly clock: Clock
  readonly logger: Logger
}

interface Version {
  readonly version: string
  readonly content: Htpasswd
}

/** `version` was taken before reading: a change in between is seen at the next look. */
async function read(path: string, version: string): Promise<Version> {
  return { version, content: parseHtpasswd(await readFile(path, 'utf8')) }
}

async function versionOf(path: string): Promise<string> {
  const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
  return [ino, size, mtimeNs, ctimeNs].join(' ')
}
