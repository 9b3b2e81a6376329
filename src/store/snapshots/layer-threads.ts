import { Worker } from 'node:worker_threads'
import { EngineError } from '#base/errors.ts'
import { abortable } from '#base/mutex.ts'
import type { FromThread, LayerJob, ThreadError, ToThread, UnpackedLayer } from './layer-thread.ts'

export interface JobOptions {
  readonly signal?: AbortSignal | undefined
  /** Calls back with how much of the blob is there, now and whenever it grows. */
  readonly follow: (onGrown: (prefix: number) => void) => Disposable
  readonly onProgress: (read: number) => void
}

/** Beside this file, or beside the bundle that it became a part of (tools/bundle.ts). */
const THREAD = import.meta.url.endsWith('.ts') ? './layer-thread-start.ts' : './layer-thread.js'
/** Threads that wait for the next layer, and how long they do, in milliseconds. */
const MAX_IDLE = 4
const PATIENCE = 10_000

interface Idle {
  readonly thread: Worker
  readonly forget: () => void
  readonly timer: NodeJS.Timeout
}

/** Threads that unpack layers; each job has one for itself. Whoever calls bounds their number. */
export class LayerThreads implements AsyncDisposable {
  readonly #idle: Idle[] = []
  /** Threads that are not wanted any more, until they have ended. */
  readonly #ending = new Set<Promise<void>>()

  /** Rejects as the job does. When it is aborted, the thread has ended by then. */
  async run(job: LayerJob, { signal, follow, onProgress }: JobOptions): Promise<UnpackedLayer> {
    signal?.throwIfAborted()
    const thread = this.#take()
    const { promise, resolve, reject } = Promise.withResolvers<UnpackedLayer>()
    const onMessage = (message: FromThread): void => {
      if (message.kind === 'progress') onProgress(message.read)
      else if (message.kind === 'done') resolve(message.layer)
      else reject(failed(message.error))
    }
    const onError = (cause: Error): void => reject(failed({ message: `the thread failed: ${cause.message}` }))
    const onExit = (): void => reject(failed({ message: 'the thread has ended' }))
    thread.on('message', onMessage).on('error', onError).on('exit', onExit)
    const tell = (message: ToThread): void => thread.postMessage(message)
    tell({ kind: 'job', job })
    const following = follow((prefix) => tell({ kind: 'grown', prefix }))
    try {
      const layer = await abortable(promise, signal)
      thread.off('message', onMessage).off('error', onError).off('exit', onExit)
      this.#release(thread)
      return layer
    } catch (error) {
      await thread.terminate()
      throw error
    } finally {
      following[Symbol.dispose]()
      promise.catch(() => undefined)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const idle of this.#idle.splice(0)) this.#end(idle)
    await Promise.all(this.#ending)
  }

  #take(): Worker {
    const idle = this.#idle.pop()
    if (idle === undefined) return new Worker(new URL(THREAD, import.meta.url))
    clearTimeout(idle.timer)
    idle.thread.off('exit', idle.forget).off('error', idle.forget)
    idle.thread.ref()
    return idle.thread
  }

  #release(thread: Worker): void {
    const forget = (): void => {
      const at = this.#idle.indexOf(idle)
      if (at === -1) return
      this.#idle.splice(at, 1)
      this.#end(idle)
    }
    const idle: Idle = { thread, forget, timer: setTimeout(forget, PATIENCE).unref() }
    thread.unref()
    thread.on('exit', forget).on('error', forget)
    this.#idle.push(idle)
    if (this.#idle.length > MAX_IDLE) forget()
  }

  #end({ thread, timer }: Idle): void {
    clearTimeout(timer)
    const ending = thread.terminate().then(() => void this.#ending.delete(ending))
    this.#ending.add(ending)
  }
}

function failed({ message, kind, code, details = {} }: ThreadError): EngineError {
  return kind === undefined || code === undefined
    ? new EngineError('internal', message, { code: 'LAYER_THREAD' })
    : new EngineError(kind, message, { code, details })
}
