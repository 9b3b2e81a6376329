import type { Logger } from '#base/logger.ts'
import type { Helper } from '#os/helper.ts'
import { commandFailed } from './errors.ts'
import { type Guard, guardName } from './guard.ts'
import { type Element, type Elements, besides, elementId, sameElements } from './nft-elements.ts'
import { type Listing, parseListing } from './nft-listing.ts'
import { type Change, type TableOptions, changeTransaction, fullTransaction } from './nft-table.ts'

export interface FirewallDeps {
  readonly helper: Pick<Helper, 'run'>
  readonly logger: Logger
  readonly table: string
  /** See TableOptions. */
  readonly respect?: boolean | undefined
  readonly guard?: Guard | undefined
}

/** Every so many periodic looks the table is read whatever the kernel has told. */
const LOOKS = 8

/**
 * The live nftables table, kept equal to a model. Changes that arrive while nft runs share the next run; a change
 * that the kernel refuses (somebody removed the table) is mended by writing the whole table from the model.
 */
export class Firewall {
  readonly #deps: FirewallDeps
  readonly #model = new Map<string, Element>()
  #closed = false
  /** What the kernel prints for our chains; known once we have written them. */
  #structure: string | undefined
  #pending: Change[] = []
  #batch: Promise<void> | undefined
  #tail: Promise<unknown> = Promise.resolve()
  /** Changes that the kernel has told about, less those that we have made. */
  #unexplained = 0
  #looks = 0

  constructor(deps: FirewallDeps) {
    this.#deps = deps
  }

  /**
   * Writes the chains. Elements that another daemon left stay in force until `reconcile`, so that ports published
   * by running containers never close. `closed`: see TableOptions; a table that was closed stays so.
   */
  async install(closed: boolean): Promise<void> {
    return this.#exclusive(async () => {
      if (this.#structure !== undefined) return
      const live = await this.#list()
      this.#closed ||= closed || (live?.structure.includes('oifkind') ?? false)
      const left = besides(live?.elements ?? new Map<string, Element>(), this.#model)
      await this.#writeAll(new Map([...left, ...this.#model]))
    })
  }

  /**
   * Resolves when the kernel has the change. A rejected one has been taken back from the model, but for removals that
   * nothing comes for: `reconcile` tries those again.
   */
  async change(add: readonly Element[], remove: readonly Element[] = []): Promise<void> {
    if (add.length + remove.length === 0) return
    const before = add.length === 0 ? [] : remove.filter((element) => this.has(element))
    this.note(add, remove)
    const changes: readonly Change[] = [
      ...remove.map((element) => ({ op: 'delete', element }) as const),
      ...add.map((element) => ({ op: 'add', element }) as const),
    ]
    this.#pending = [...this.#pending, ...changes]
    this.#deps.guard?.change(changes)
    this.#batch ??= this.#exclusive(() => this.#commit())
    try {
      await this.#batch
    } catch (error) {
      this.note(before, add)
      this.#deps.guard?.change([
        ...add.map((element) => ({ op: 'delete', element }) as const),
        ...before.map((element) => ({ op: 'add', element }) as const),
      ])
      throw error
    }
  }

  /** Changes the model alone; `reconcile` brings it to the kernel. */
  note(add: readonly Element[], remove: readonly Element[] = []): void {
    for (const element of remove) this.#model.delete(elementId(element))
    for (const element of add) this.#model.set(elementId(element), element)
  }

  /** Whether the model has an element. */
  has(element: Element): boolean {
    return this.#model.has(elementId(element))
  }

  /** Compares the live table with the model and rewrites it where they differ; true when it had to. */
  async reconcile(): Promise<boolean> {
    return this.#exclusive(() => this.#mend())
  }

  /**
   * For the periodic look: reading a table of thousands of ports takes its time. It is read when what the kernel has told does not
   * account for what we have done, and every so many looks in any case.
   */
  async look(): Promise<boolean> {
    this.#looks++
    const due = this.#looks % LOOKS === 0 || this.#unexplained !== 0 || this.#deps.guard?.settled === false
    return due ? this.reconcile() : false
  }

  /**
   * The kernel has told that the table was changed. When it was not us, it is put back at once; true when it had to be.
   * The kernel tells of each transaction once: those of ours that it has not told of yet are waited for.
   */
  async noticed(): Promise<boolean> {
    this.#unexplained++
    return this.#exclusive(async () => this.#unexplained > 0 && (await this.#mend()))
  }

  /** The live table; undefined when there is none. */
  async live(): Promise<Listing | undefined> {
    return this.#exclusive(() => this.#list())
  }

  /** Listings of the tables that are not ours, one by one: nft 1.0.6 prints a broken one of a table that has an owner. */
  async others(): Promise<readonly string[]> {
    const { helper, table } = this.#deps
    const { stdout } = await helper.run(['nft', 'list', 'tables'])
    const listings: string[] = []
    for (const [, family = '', name = ''] of stdout.matchAll(/^table (\S+) (\S+)$/gm)) {
      if (family === 'inet' && (name === table || name === guardName(table))) continue
      const listing = await helper.run(['nft', '-j', 'list', 'table', family, name])
      // One that has gone meanwhile says nothing.
      if (listing.code === 0) listings.push(listing.stdout)
    }
    return listings
  }

  /** What should be in it. */
  get model(): Elements {
    return this.#model
  }

  /** Whether the chains and rules of a listing are ours, unchanged. */
  isOurs(listing: Listing): boolean {
    return listing.structure === this.#structure
  }

  /** The table stays; what guards it does not. */
  async close(): Promise<void> {
    await this.#exclusive(async () => this.#deps.guard?.[Symbol.asyncDispose]())
  }

  async destroy(): Promise<void> {
    await this.close()
    await this.#exclusive(async () => {
      this.#structure = undefined
      const { table } = this.#deps
      await this.#nft(`table inet ${table}\ndelete table inet ${table}\n`)
    })
  }

  async #commit(): Promise<void> {
    this.#batch = undefined
    const changes = this.#pending
    this.#pending = []
    try {
      await this.#nft(changeTransaction(this.#deps.table, changes))
    } catch (error) {
      this.#deps.logger.warn('nft refused a change, writing the whole table', { error })
      await this.#writeAll(this.#model)
    }
  }

  async #mend(): Promise<boolean> {
    this.#unexplained = 0
    const expected = this.#committed()
    const live = await this.#list()
    const same = live !== undefined && this.isOurs(live) && sameElements(live.elements, expected)
    if (!same) await this.#writeAll(expected)
    await this.#keepGuard()
    return !same
  }

  /** The model without the changes that wait for their turn. */
  #committed(): Elements {
    const elements = new Map(this.#model)
    for (const { op, element } of this.#pending.toReversed()) {
      if (op === 'add') elements.delete(elementId(element))
      else elements.set(elementId(element), element)
    }
    return elements
  }

  /** What cannot be guarded is isolated by the table alone. */
  async #keepGuard(): Promise<void> {
    const { guard, logger } = this.#deps
    if (guard === undefined || guard.settled) return
    try {
      await guard.write(this.#closed, this.#model)
    } catch (error) {
      logger.debug('the table that outlives a flush cannot be made', { error })
    }
  }

  async #writeAll(elements: Elements): Promise<void> {
    await this.#nft(fullTransaction(this.#options(), elements))
    this.#structure ??= (await this.#list())?.structure
  }

  async #list(): Promise<Listing | undefined> {
    const result = await this.#deps.helper.run(['nft', '-j', 'list', 'table', 'inet', this.#deps.table])
    if (result.code !== 0) return undefined
    try {
      return parseListing(result.stdout)
    } catch (error) {
      // Longer than the helper passes on: treated as different, which costs one rewrite.
      this.#deps.logger.debug('listing of the nft table is cut off', { error })
      return undefined
    }
  }

  async #nft(stdin: string): Promise<void> {
    const result = await this.#deps.helper.run(['nft', '-f', '-'], { stdin })
    if (result.code !== 0) throw commandFailed('nft', result)
    this.#unexplained--
  }

  #options(): TableOptions {
    const { table, respect } = this.#deps
    return { table, respect, closed: this.#closed }
  }

  async #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(work)
    this.#tail = run.catch(() => undefined)
    return run
  }
}
