import type { ContainerInspectResponse } from '#api/generated/types.ts'
import { isKind } from '#base/errors.ts'
import { abortable } from '#base/mutex.ts'
import type { Client } from '#client/client.ts'
import { ofProject } from '../state/labels.ts'

/** Waits for containers of a project to come into a state: looks again whenever the engine tells that something has happened. */
export class ContainerStates implements AsyncDisposable {
  readonly #client: Client
  readonly #project: string
  readonly #stop = new AbortController()
  #listening: Promise<void> | undefined
  #following: Promise<void> | undefined
  #next = wakeUp()

  constructor(client: Client, project: string) {
    this.#client = client
    this.#project = project
  }

  /** Calls `judge` with the container now and after each event, until it returns a value; it may throw. Gone: undefined. */
  async until<T>(
    id: string,
    judge: (container: ContainerInspectResponse | undefined) => T | undefined,
    signal: AbortSignal,
  ): Promise<T> {
    await (this.#listening ??= this.#listen())
    for (;;) {
      // Taken before looking, so that nothing which happens meanwhile is missed.
      const { promise } = this.#next
      const verdict = judge(await this.#inspect(id))
      if (verdict !== undefined) return verdict
      await abortable(promise, signal)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#following
  }

  async #inspect(id: string): Promise<ContainerInspectResponse | undefined> {
    try {
      return await this.#client.containerQuery.inspect(id)
    } catch (error) {
      if (isKind(error, 'not_found')) return undefined
      throw error
    }
  }

  /** Resolves when the engine listens to us, so that later events are not missed. */
  async #listen(): Promise<void> {
    const filters = { type: ['container'], ...ofProject(this.#project) }
    const events = await this.#client.system.openEvents({ filters, signal: this.#stop.signal })
    this.#following = this.#follow(events)
  }

  async #follow(events: AsyncIterable<unknown>): Promise<void> {
    try {
      for await (const _event of events) this.#wake()
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#next.reject(error)
    }
  }

  #wake(): void {
    const woken = this.#next
    this.#next = wakeUp()
    woken.resolve()
  }
}

function wakeUp(): PromiseWithResolvers<void> {
  const next = Promise.withResolvers<void>()
  // A lost connection is the business of those who wait, and there may be none.
  next.promise.catch(() => undefined)
  return next
}
