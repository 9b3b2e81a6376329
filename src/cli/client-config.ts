import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno, messageOf, jsonProblemOf } from '#base/errors.ts'
import { commandError } from './errors.ts'

/** Credentials of a registry, as they stand in `config.json`. */
export interface ConfigAuth {
  /** `name:password` in base64. */
  readonly auth?: string
  readonly username?: string
  readonly password?: string
  readonly identitytoken?: string
  readonly registrytoken?: string
}

/** The part of Docker's `config.json` that berth reads. */
export interface ConfigFile {
  readonly auths?: Readonly<Record<string, ConfigAuth>>
  readonly credsStore?: string
  readonly credHelpers?: Readonly<Record<string, string>>
  readonly currentContext?: string
  readonly HttpHeaders?: Readonly<Record<string, string>>
  readonly detachKeys?: string
  readonly proxies?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly psFormat?: string
  readonly imagesFormat?: string
  readonly networksFormat?: string
  readonly volumesFormat?: string
  readonly statsFormat?: string
  readonly pruneFilters?: readonly string[]
  readonly cliPluginsExtraDirs?: readonly string[]
  /** Other names of commands, such as `builder` for `buildx`. */
  readonly aliases?: Readonly<Record<string, string>>
}

/** The configuration directory of the client, read when it is first asked for. */
export class ClientConfig {
  readonly directory: string
  #file: ConfigFile | undefined

  constructor(directory: string) {
    this.directory = directory
  }

  /** A missing file is an empty one. */
  get file(): ConfigFile {
    this.#file ??= (this.readJson('config.json') ?? {}) as ConfigFile
    return this.#file
  }

  /** Read the file anew when it is asked for next. */
  forget(): void {
    this.#file = undefined
  }

  /** A JSON file below the directory; undefined when there is none. */
  readJson(...path: readonly string[]): unknown {
    const text = this.readText(...path)
    if (text === undefined) return undefined
    try {
      return JSON.parse(text)
    } catch (error) {
      const file = join(this.directory, ...path)
      throw commandError(`cannot read ${file}: ${jsonProblemOf(error)}; correct or remove the file`)
    }
  }

  /** A text file below the directory; undefined when there is none. */
  readText(...path: readonly string[]): string | undefined {
    const file = join(this.directory, ...path)
    try {
      return readFileSync(file, 'utf8')
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw commandError(`cannot read ${file}: ${messageOf(error)}`, error)
    }
  }
}
