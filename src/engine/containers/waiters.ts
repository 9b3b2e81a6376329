import type { ContainerWaitResponse } from '#api/generated/types.ts'
import { abortable } from '#base/mutex.ts'

export type WaitCondition = 'not-running' | 'next-exit' | 'removed'

interface Waiter {
  readonly condition: WaitCondition
  readonly resolve: (response: ContainerWaitResponse) => void
}

/** Everybody who waits for a container to end or to be gone. */
export class Waiters {
  readonly #waiting = new Map<string, Set<Waiter>>()

  /** Registered when this returns; a waiter whose signal is aborted is forgotten. */
  wait(id: string, condition: WaitCondition, signal?: AbortSignal): Promise<ContainerWaitResponse> {
    const { promise, resolve } = Promise.withResolvers<ContainerWaitResponse>()
    const waiter: Waiter = { condition, resolve }
    const waiters = this.#waiting.get(id) ?? new Set()
    waiters.add(waiter)
    this.#waiting.set(id, waiters)
    return abortable(promise, signal).finally(() => this.#forget(id, waiter))
  }

  /** The process has ended, whether or not it will be restarted. */
  exited(id: string, exitCode: number, error: string): void {
    this.#settle(id, ['not-running', 'next-exit'], exitCode, error)
  }

  removed(id: string, exitCode: number): void {
    this.#settle(id, ['not-running', 'next-exit', 'removed'], exitCode, '')
  }

  /** The container was to be removed at its end, and could not be. */
  notRemoved(id: string, exitCode: number, error: string): void {
    this.#settle(id, ['removed'], exitCode, error)
  }

  #settle(id: string, conditions: readonly WaitCondition[], exitCode: number, error: string): void {
    for (const waiter of this.#waiting.get(id) ?? []) {
      if (!conditions.includes(waiter.condition)) continue
      waiter.resolve({ StatusCode: exitCode, ...(error === '' ? {} : { Error: { Message: error } }) })
    }
  }

  #forget(id: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(id)
    waiters?.delete(waiter)
    if (waiters?.size === 0) this.#waiting.delete(id)
  }
}
