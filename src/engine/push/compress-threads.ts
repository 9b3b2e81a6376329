import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { EngineError, messageOf } from '#base/errors.ts'
import type { BlockCompressor } from '#oci/compress.ts'
import type { Compressed, CompressJob } from './compress-thread.ts'

/** Beside this file, or beside the bundle that it became a part of (tools/bundle.ts). */
const THREAD = import.meta.url.endsWith('.ts') ? './compress-thread-start.ts' : './compress-thread.js'
/** With more, pushes would take the machine from the containers on it. */
const MAX_THREADS = Math.min(availableParallelism(), 3)
/** Milliseconds that an idle thread waits for more. */
const PATIENCE = 10_000

interface Job {
  readonly block: Uint8Array<ArrayBuffer>
  readonly format: CompressJob['format']
  readonly resolve: (bytes: Uint8Array) => void
  readonly reject: (reason: unknown) => void
}

interface Member {
  readonly thread: Worker
  job: Job | undefined
  timer: NodeJS.Timeout | undefined
}

/**
 * Compresses blocks for all pushes together, in threads of a low priority. In zlib's own they would hold up every file
 * operation of the engine, whose threads those are as well, and the engine itself.
 */
export class CompressThreads implements AsyncDisposable {
  readonly #members = new Set<Member>()
  readonly #waiting: Job[] = []
  #closed = false

  /** The block is given away: its bytes are gone for the caller. */
  readonly compress: BlockCompressor = (block, format) => {
    if (this.#closed) return Promise.reject(failed('the engine ends'))
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    this.#waiting.push({ block, format, resolve, reject })
    const idle = [...this.#members].find(({ job }) => job === undefined)
    if (idle !== undefined) this.#next(idle)
    else if (this.#members.size < MAX_THREADS) this.#next(this.#start())
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const { reject } of this.#waiting.splice(0)) reject(failed('the engine ends'))
    await Promise.all([...this.#members].map(({ thread }) => thread.terminate()))
  }

  #start(): Member {
    const thread = new Worker(new URL(THREAD, import.meta.url))
    const member: Member = { thread, job: undefined, timer: undefined }
    thread.on('message', (result: Compressed) => {
      const { job } = member
      member.job = undefined
      if ('bytes' in result) job?.resolve(result.bytes)
      else job?.reject(failed(result.error))
      this.#next(member)
    })
    thread.on('error', (error) => this.#ended(member, messageOf(error)))
    thread.on('exit', (code) => this.#ended(member, `the thread has ended with ${code}`))
    this.#members.add(member)
    return member
  }

  #next(member: Member): void {
    clearTimeout(member.timer)
    const job = this.#waiting.shift()
    member.job = job
    if (job === undefined) {
      member.thread.unref()
      member.timer = setTimeout(() => this.#dismiss(member), PATIENCE).unref()
      return
    }
    member.thread.ref()
    const { block, format } = job
    const whole = block.length === block.buffer.byteLength
    member.thread.postMessage({ block, format } satisfies CompressJob, whole ? [block.buffer] : [])
  }

  #dismiss(member: Member): void {
    this.#members.delete(member)
    member.thread.terminate().catch((error: unknown) => member.job?.reject(failed(messageOf(error))))
  }

  #ended(member: Member, why: string): void {
    clearTimeout(member.timer)
    member.job?.reject(failed(why))
    member.job = undefined
    if (!this.#members.delete(member)) return
    // Others' jobs must not wait for a thread that is gone.
    if (this.#waiting.length > 0) this.#next(this.#start())
  }
}

function failed(why: string): EngineError {
  return new EngineError('internal', `cannot compress a layer: ${why}`, { code: 'COMPRESS_THREAD' })
}
