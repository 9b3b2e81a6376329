import { Worker } from 'node:worker_threads'
import { EngineError } from '#base/errors.ts'
import type { BcryptJob, BcryptResult } from './bcrypt-thread.ts'
import { tooManyLogins } from './errors.ts'

/** Slow on purpose: tens of milliseconds of computing per call. */
export interface PasswordHashes {
  hash(password: string): Promise<string>
  verify(password: string, hash: string): Promise<boolean>
}

/** Jobs that may wait; at 50 ms each, more would make everybody wait for seconds. */
const MAX_WAITING = 64

/** Beside this file, or beside the bundle that it became a part of (tools/bundle.ts). */
const THREAD = import.meta.url.endsWith('.ts') ? './bcrypt-thread.ts' : './bcrypt-thread.js'

interface Waiting {
  resolve(value: string | boolean): void
  reject(reason: unknown): void
}

/**
 * bcrypt in a thread of its own, so that neither requests nor file operations wait for it. The thread starts with the
 * first job, does one at a time, and does not keep the process alive.
 */
export class BcryptThread implements PasswordHashes, AsyncDisposable {
  readonly #waiting = new Map<number, Waiting>()
  #thread: Worker | undefined
  #next = 0

  async hash(password: string): Promise<string> {
    return String(await this.#run({ password }))
  }

  async verify(password: string, hash: string): Promise<boolean> {
    return (await this.#run({ password, hash })) === true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread?.terminate()
  }

  #run(work: Omit<BcryptJob, 'id'>): Promise<string | boolean> {
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(tooManyLogins(1))
    const { promise, resolve, reject } = Promise.withResolvers<string | boolean>()
    const thread = this.#start()
    const id = this.#next++
    this.#waiting.set(id, { resolve, reject })
    // Whoever waits keeps the process alive, the idle thread does not.
    thread.ref()
    thread.postMessage({ id, ...work } satisfies BcryptJob)
    return promise
  }

  #start(): Worker {
    if (this.#thread !== undefined) return this.#thread
    const thread = new Worker(new URL(THREAD, import.meta.url))
    thread.on('message', (result: BcryptResult) => this.#settle(result))
    thread.on('error', (cause) => this.#ended(thread, cause))
    thread.on('exit', () => this.#ended(thread))
    this.#thread = thread
    return thread
  }

  #settle({ id, value, error }: BcryptResult): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (this.#waiting.size === 0) this.#thread?.unref()
    if (value === undefined) waiting?.reject(failed(error))
    else waiting?.resolve(value)
  }

  #ended(thread: Worker, cause?: unknown): void {
    if (this.#thread !== thread) return
    this.#thread = undefined
    for (const waiting of this.#waiting.values()) waiting.reject(failed(cause))
    this.#waiting.clear()
  }
}

function failed(cause: unknown): EngineError {
  return new EngineError('unavailable', 'passwords cannot be checked at the moment', {
    code: 'PASSWORD_CHECK_FAILED',
    cause,
  })
}
