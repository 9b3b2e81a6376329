import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { IDResponse } from '#api/generated/types.ts'
import { EngineError } from '#base/errors.ts'
import { at, type Cancellable } from './containers.ts'
import type { Transport } from './transport.ts'

/** A path in a container; `mode` has the bits of Go's os.FileMode. */
export interface PathStat {
  readonly name: string
  readonly size: number
  readonly mode: number
  readonly mtime: string
  readonly linkTarget: string
}

/** Go's os.FileMode bits that say what a path is. */
const MODE_DIRECTORY = 2 ** 31
const MODE_SYMLINK = 2 ** 27

export function isDirectory(stat: PathStat): boolean {
  return stat.mode % 2 ** 32 >= MODE_DIRECTORY
}

export function isSymlink(stat: PathStat): boolean {
  return Math.floor(stat.mode / MODE_SYMLINK) % 2 === 1
}

/** The filesystem of containers, running or not. Archives are tar streams. */
export class ContainerFiles {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async stat(ref: string, path: string): Promise<PathStat> {
    const response = await this.#transport.open('HEAD', at(ref, '/archive'), { query: { path } })
    response.resume()
    return statIn(response)
  }

  /** Entries begin with the last element of `path`. */
  async get(
    ref: string,
    path: string,
    options: Cancellable = {},
  ): Promise<{ readonly stat: PathStat; readonly tar: Readable }> {
    const response = await this.#transport.open('GET', at(ref, '/archive'), { query: { path }, ...options })
    return { stat: statIn(response), tar: response }
  }

  /** Unpacks `tar` into the directory `path`. */
  async put(
    ref: string,
    path: string,
    tar: Readable,
    options: { readonly noOverwriteDirNonDir?: boolean; readonly copyUIDGID?: boolean } & Cancellable = {},
  ): Promise<void> {
    const { signal, ...flags } = options
    await this.#transport.status('PUT', at(ref, '/archive'), { query: { path, ...flags }, body: tar, signal })
  }

  async export(ref: string, options: Cancellable = {}): Promise<Readable> {
    return this.#transport.open('GET', at(ref, '/export'), options)
  }

  async commit(
    ref: string,
    options: {
      readonly repo?: string | undefined
      readonly tag?: string | undefined
      readonly comment?: string | undefined
      readonly author?: string | undefined
      readonly pause: boolean
      readonly changes?: readonly string[]
    },
  ): Promise<IDResponse> {
    const { pause, ...rest } = options
    const query = { container: ref, ...rest, pause: pause ? undefined : '0' }
    return this.#transport.json('POST', '/commit', { query, json: {} })
  }
}

function statIn(response: IncomingMessage): PathStat {
  const header = response.headers['x-docker-container-path-stat']
  if (typeof header !== 'string') {
    throw new EngineError(
      'internal',
      'the daemon did not say what the path is (X-Docker-Container-Path-Stat)',
      {
        code: 'PATH_STAT_MISSING',
      },
    )
  }
  return JSON.parse(Buffer.from(header, 'base64').toString()) as PathStat
}
