import type { Clock } from '#base/clock.ts'
import { isKind } from '#base/errors.ts'
import type { Slots } from '#base/slots.ts'
import type { Descriptor } from '#oci/image-spec.ts'
import type { ReadableRepository } from '#registry/client/repository.ts'
import { pauseAfter } from '#registry/client/retries.ts'
import { GatheredWrites } from '#store/ingests/gathered-writes.ts'
import type { ByteRange, Ingest } from '#store/ingests/ingests.ts'
import type { Share, Window } from './window.ts'

export interface DownloadLimits {
  /**
   * Bytes of all downloads that are on the way at once. With what so many requests may have written and not yet recorded
   * (see FileIngest) they are what a kill can make us fetch again: 8 MB.
   */
  readonly window: number
  /** Bytes asked for by one request. */
  readonly range: number
  /** Of one blob. */
  readonly connections: number
  /** In a row, with less than `progress` between them. */
  readonly failures: number
  /** Bytes: a registry that cuts every answer before these is not followed for ever. */
  readonly progress: number
}

/** Four of these, and 128 kB unrecorded of as many blobs, are 8 MB. */
const RANGE = 15 << 17

export const downloadLimits: DownloadLimits = {
  window: 4 * RANGE,
  range: RANGE,
  connections: 3,
  failures: 6,
  progress: 256 << 10,
}

export interface DownloadOptions {
  /** Connections of all downloads together. */
  readonly slots: Slots
  readonly window: Window
  readonly limits: DownloadLimits
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Bytes that are there, of all. */
  readonly onProgress: (received: number) => void
  readonly onWaiting: () => void
  /** The registry failed; it is asked again after so many milliseconds. */
  readonly onRest: (pause: number) => void
}

/**
 * Fetches what is missing of a blob, in ranges, the beginning first. What is interrupted goes on where it was; after
 * too many failures in a row it rejects, and what has come stays. The digest is not looked at.
 */
export async function download(
  ingest: Ingest,
  repository: ReadableRepository,
  blob: Pick<Descriptor, 'digest' | 'size'>,
  options: DownloadOptions,
): Promise<void> {
  const fetching = new Download(ingest, repository, blob, options)
  await fetching.inRanges()
  if (ingest.missing().length > 0) await fetching.inOrder()
}

/** Less than this is not worth a system call. */
const GATHER = 512 << 10

class Download {
  readonly #ingest: Ingest
  readonly #repository: ReadableRepository
  readonly #blob: Pick<Descriptor, 'digest' | 'size'>
  readonly #options: DownloadOptions
  #ignoresRanges = false

  constructor(
    ingest: Ingest,
    repository: ReadableRepository,
    blob: Pick<Descriptor, 'digest' | 'size'>,
    options: DownloadOptions,
  ) {
    this.#ingest = ingest
    this.#repository = repository
    this.#blob = blob
    this.#options = options
  }

  /** Returns early from a registry that does not know ranges. */
  async inRanges(): Promise<void> {
    const { limits, signal } = this.#options
    const queue = split(this.#ingest.missing(), limits.range)
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    const lane = async (): Promise<void> => {
      try {
        for (let range = queue.shift(); range !== undefined; range = queue.shift()) {
          await this.#fetch(range, either)
          if (this.#ignoresRanges) queue.length = 0
        }
      } catch (error) {
        stop.abort(error)
        throw error
      }
    }
    const lanes = Array.from({ length: Math.min(limits.connections, queue.length) }, lane)
    const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw signal.aborted ? signal.reason : failed.reason
  }

  /** The whole blob from one connection; what is there already is passed over. */
  async inOrder(): Promise<void> {
    const [first] = this.#ingest.missing()
    if (first === undefined) return
    this.#ignoresRanges = false
    await this.#fetch({ offset: first.offset, end: this.#blob.size }, this.#options.signal, 'from anywhere')
  }

  async #fetch(
    range: ByteRange,
    signal: AbortSignal,
    from: 'there' | 'from anywhere' = 'there',
  ): Promise<void> {
    const { clock, limits, slots, window } = this.#options
    let share: Share | undefined
    const writer = new GatheredWrites(this.#ingest, range.offset, {
      least: GATHER,
      onWritten: (bytes) => {
        share?.arrived(bytes)
        this.#options.onProgress(this.#ingest.received)
      },
    })
    for (let failures = 0; writer.position < range.end;) {
      const before = writer.position
      try {
        if (!slots.available && this.#ingest.received === 0) this.#options.onWaiting()
        using _slot = await slots.acquire({ signal })
        using onTheWay = await window.share(range.end - before, { signal })
        share = onTheWay
        await this.#connect(writer, range.end, signal, from)
        if (this.#ignoresRanges) return
      } catch (error) {
        if (signal.aborted) throw signal.reason
        failures = writer.position >= before + limits.progress ? 1 : failures + 1
        const pause = pauseAfter(error, failures, Math.random)
        if (!isKind(error, 'unavailable') || failures >= limits.failures || pause === undefined) throw error
        this.#options.onRest(pause)
        await clock.sleep(pause, { signal })
      }
    }
  }

  async #connect(
    writer: GatheredWrites,
    end: number,
    signal: AbortSignal,
    from: 'there' | 'from anywhere',
  ): Promise<void> {
    const offset = writer.position
    const over = new AbortController()
    try {
      const either = AbortSignal.any([signal, over.signal])
      const body = await this.#repository.blob(this.#blob, { offset, end, signal: either })
      if (body.offset !== offset && from === 'there') {
        this.#ignoresRanges = true
        return
      }
      let skip = offset - body.offset
      for await (const chunk of body.chunks) {
        const rest = chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - rest.length
        await writer.add(rest)
      }
    } finally {
      // A body that nobody reads would keep its connection.
      over.abort(new Error('enough has come'))
      await writer.finish()
    }
  }
}

function split(missing: readonly ByteRange[], most: number): ByteRange[] {
  return missing.flatMap(({ offset, end }) =>
    Array.from({ length: Math.ceil((end - offset) / most) }, (_, i) => ({
      offset: offset + i * most,
      end: Math.min(offset + (i + 1) * most, end),
    })),
  )
}
