import type { Logger } from '#base/logger.ts'
import type { Cancellable } from '../services.ts'
import type { ReadSample } from './kernel-samples.ts'
import type { Sample, StatsSubject } from './stats-document.ts'
import { statsDocument } from './stats-document.ts'

export interface SamplerDeps {
  readonly read: ReadSample
  readonly logger: Logger
  /** Milliseconds between two samples; Docker's second. */
  readonly interval?: number
}

export interface SampleOptions extends Cancellable {
  readonly stream: boolean
  readonly oneShot: boolean
  /** Settles when the container's process has ended. */
  readonly ended: Promise<unknown>
}

/** Stats of containers. However many watch one container, it is sampled once per interval. */
export class Sampler {
  readonly #deps: SamplerDeps
  readonly #interval: number
  readonly #series = new Map<string, Series>()

  constructor(deps: SamplerDeps) {
    this.#deps = deps
    this.#interval = deps.interval ?? 1000
  }

  /**
   * Documents for `container`: one per interval with `stream`, until its process ends; otherwise a single one, which
   * compares two samples unless `oneShot`. A stopped container gives empty documents.
   */
  async *sample(
    container: StatsSubject & { readonly pid: number | undefined },
    options: SampleOptions,
  ): AsyncGenerator<object> {
    const { pid } = container
    if (!options.stream && (pid === undefined || options.oneShot)) {
      yield statsDocument(container, pid === undefined ? undefined : await this.#deps.read(pid), undefined)
      return
    }
    const series = this.#join(`${container.id} ${pid}`, pid)
    const { stream, signal } = options
    const wake = (): void => series.wake()
    signal?.addEventListener('abort', wake)
    let over = false
    const end = (): void => {
      over = true
      wake()
    }
    if (pid !== undefined) options.ended.then(end, end)
    try {
      for (let seen = 0; signal?.aborted !== true;) {
        const next = series.next()
        const done = over || series.over
        if (series.count > (stream ? seen : 1) || (done && !stream)) {
          seen = series.count
          yield statsDocument(container, series.latest, series.previous)
          if (!stream) return
        }
        if (done) return
        await next
      }
    } finally {
      signal?.removeEventListener('abort', wake)
      this.#leave(series)
    }
  }

  #join(key: string, pid: number | undefined): Series {
    const { read, logger } = this.#deps
    const known = this.#series.get(key)
    if (known !== undefined) {
      known.watchers++
      return known
    }
    const series = new Series(key, async () => {
      try {
        const sample = pid === undefined ? undefined : await read(pid)
        return { sample, gone: pid !== undefined && sample === undefined }
      } catch (error) {
        logger.warn('container cannot be sampled', { pid, error })
        return { sample: undefined, gone: true }
      }
    })
    this.#series.set(key, series)
    series.start(this.#interval)
    return series
  }

  #leave(series: Series): void {
    if (--series.watchers > 0) return
    series.stop()
    this.#series.delete(series.key)
  }
}

interface Taken {
  readonly sample: Sample | undefined
  /** There will be no more. */
  readonly gone: boolean
}

/** The samples of one container while somebody watches. */
class Series {
  readonly key: string
  watchers = 1
  /** Samples taken so far. */
  count = 0
  /** The container cannot be sampled any more. */
  over = false
  latest: Sample | undefined
  previous: Sample | undefined
  readonly #take: () => Promise<Taken>
  #next = Promise.withResolvers<void>()
  #timer: NodeJS.Timeout | undefined
  #busy = false

  constructor(key: string, take: () => Promise<Taken>) {
    this.key = key
    this.#take = take
  }

  start(interval: number): void {
    this.#timer = setInterval(() => void this.#tick(), interval)
    void this.#tick()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Resolves at the next sample or wake-up. */
  next(): Promise<void> {
    return this.#next.promise
  }

  wake(): void {
    this.#next.resolve()
    this.#next = Promise.withResolvers()
  }

  async #tick(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    const { sample, gone } = await this.#take()
    this.#busy = false
    this.over = gone
    if (!gone) {
      this.previous = this.latest
      this.latest = sample
      this.count++
    }
    this.wake()
  }
}
