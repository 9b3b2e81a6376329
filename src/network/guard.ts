import type { Logger } from '#base/logger.ts'
import type { NftSession } from '#os/nft-session.ts'
import type { Elements } from './nft-elements.ts'
import { type Change, guardChangeCommand, guardCommand } from './nft-table.ts'

export interface GuardDeps {
  readonly logger: Logger
  readonly table: string
  readonly start: (onError: (line: string) => void) => Promise<NftSession>
}

/** Name of the table that guards another one. */
export function guardName(table: string): string {
  return `${table}_guard`
}

/** After so many nobody tries any more. */
const ATTEMPTS = 3

/**
 * A second table that isolates as the first one does, and that nobody but the daemon can change, not even by flushing
 * the ruleset: until the first one is mended, nothing is less isolated than it was. It goes with the daemon.
 *
 * Kernels before 5.12 know no such tables; then there is none, which is said.
 */
export class Guard implements AsyncDisposable {
  readonly #deps: GuardDeps
  #session: NftSession | undefined
  #closed = false
  /** Commands since it was begun. */
  #sent = 0
  /** How often in a row it could not even be begun. */
  #refused = 0

  constructor(deps: GuardDeps) {
    this.#deps = deps
  }

  /** Whether it is there with everything that was written, or will never be; `write` makes it. */
  get settled(): boolean {
    return this.#session !== undefined || this.#refused >= ATTEMPTS
  }

  /** Begins it anew with these elements. */
  async write(closed: boolean, elements: Elements): Promise<void> {
    const { table, start } = this.#deps
    await this[Symbol.asyncDispose]()
    this.#closed = closed
    const session = await start((line) => this.#refuse(session, line))
    this.#session = session
    void session.ended.then(() => this.#forget(session))
    this.#sent = 1
    session.send(guardCommand({ table, closed }, elements))
  }

  change(changes: readonly Change[]): void {
    const { table } = this.#deps
    const command = guardChangeCommand({ table, closed: this.#closed }, changes)
    if (command === '' || this.#session === undefined) return
    this.#sent++
    this.#session.send(command)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = this.#session
    this.#session = undefined
    await session?.[Symbol.asyncDispose]()
  }

  #refuse(session: NftSession, line: string): void {
    if (this.#session !== session) return
    this.#deps.logger.warn('nft refused the table that outlives a flush', { line })
    this.#refused = this.#sent === 1 ? this.#refused + 1 : 0
    this.#forget(session)
    void session[Symbol.asyncDispose]()
  }

  #forget(session: NftSession): void {
    if (this.#session === session) this.#session = undefined
  }
}
