import { type Clock, settlesWithin } from '#base/clock.ts'

/** Milliseconds: a call may name something a moment before that is there. */
const PATIENCE = 5_000

/** Things that come and go, by their ids, and calls that wait a moment for one. */
export class Rendezvous<Thing> {
  readonly #clock: Clock
  readonly #here = new Map<string, Thing>()
  readonly #awaited = new Map<string, PromiseWithResolvers<Thing>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** It is here until that is disposed; undefined when there is one of that id. */
  add(id: string, thing: Thing): Disposable | undefined {
    if (this.#here.has(id)) return undefined
    this.#here.set(id, thing)
    this.#awaited.get(id)?.resolve(thing)
    this.#awaited.delete(id)
    return { [Symbol.dispose]: () => void this.#here.delete(id) }
  }

  /** Undefined when it does not come. */
  async find(id: string): Promise<Thing | undefined> {
    const here = this.#here.get(id)
    if (here !== undefined) return here
    const awaited = this.#awaited.get(id) ?? Promise.withResolvers<Thing>()
    this.#awaited.set(id, awaited)
    if (await settlesWithin(this.#clock, PATIENCE, awaited.promise)) return awaited.promise
    if (this.#awaited.get(id) === awaited) this.#awaited.delete(id)
    return undefined
  }
}
