import { availableParallelism } from 'node:os'
import type { Clock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { EngineError, engineErrorOf, isKind } from '#base/errors.ts'
import { type FlightControl, Flights, lastOfEach } from '#base/flights.ts'
import { KeyedMutex } from '#base/mutex.ts'
import { Slots } from '#base/slots.ts'
import type { Descriptor } from '#oci/image-spec.ts'
import type { ReadableRepository } from '#registry/client/repository.ts'
import type { Ingest, Ingests } from '#store/ingests/ingests.ts'
import type { Addition } from '../images/addition.ts'
import type { ImageStore } from '../images/image-store.ts'
import type { ProgressMessage } from '../services.ts'
import { download, type DownloadLimits } from './download.ts'
import { noSpace, wrongBlob } from './errors.ts'
import { layerBytes, layerLine, retrying } from './layer-line.ts'
import { ingestDigest, layerTar, unpackedLimit } from './unpack.ts'
import { Window } from './window.ts'

export interface LayerFetchesDeps {
  readonly store: ImageStore
  readonly ingests: Ingests
  readonly clock: Clock
  /** Bytes of the data root that are free. */
  readonly freeSpace: () => Promise<number>
  readonly limits: DownloadLimits
  /** Connections of all downloads together. */
  readonly connections: number
}

/** A layer of an image that somebody wants. */
export interface WantedLayer {
  readonly blob: Pick<Descriptor, 'digest' | 'size'>
  readonly diffId: Digest
  readonly repository: ReadableRepository
  /** Those below, bottom first, once they are in the store. */
  readonly parents: () => Promise<readonly Digest[]>
}

/** A blob that has another digest than it should may have been damaged on the way, or here: once more from nothing. */
const ATTEMPTS = 2

/** Bytes from which on a layer is worth a thread. */
const THREAD_FROM = 1 << 20

/** Milliseconds of a rest that somebody who looks on should know of. */
const NOTICEABLE = 900

type Control = FlightControl<WantedLayer, ProgressMessage>

/**
 * Brings layers from registries into the store: each is fetched and unpacked once however many ask for it, and unpacked
 * while it comes. The bytes stay in the ingest until somebody removes it, so that whoever is interrupted before there is
 * an image need not fetch them again; callers hold the collector so that the layer stays as well.
 */
export class LayerFetches {
  readonly #deps: LayerFetchesDeps
  readonly #flights = new Flights<WantedLayer, ProgressMessage, void>(() => lastOfEach(({ id }) => id))
  /** Held while a blob is being fetched. */
  readonly #blobs = new KeyedMutex()
  readonly #connections: Slots
  readonly #window: Window
  /** Each takes some megabytes and most of a processor. */
  readonly #unpacking = new Slots(Math.max(availableParallelism(), 4))

  constructor(deps: LayerFetchesDeps) {
    this.#deps = deps
    this.#connections = new Slots(deps.connections)
    this.#window = new Window(deps.limits.window)
  }

  /** Resolves when the layer is in the store. */
  async fetch(
    wanted: WantedLayer,
    options: { readonly report: (message: ProgressMessage) => void; readonly signal: AbortSignal },
  ): Promise<void> {
    const { blob, diffId } = wanted
    const passenger = { context: wanted, ...options }
    await this.#flights.join(`${blob.digest} ${diffId}`, passenger, (control) => this.#run(wanted, control))
  }

  async #run({ blob, diffId }: WantedLayer, control: Control): Promise<void> {
    const { store, ingests } = this.#deps
    // Configs can disagree about what a blob unpacks to.
    using _alone = await this.#blobs.acquire(blob.digest, { signal: control.signal })
    await using addition = await store.add()
    await using ingest = await ingests.open(blob)
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#attempt({ ingest, diffId, addition }, control)
        break
      } catch (error) {
        if (!isVerification(error)) throw error
        if (attempt === ATTEMPTS) await ingest.remove()
        if (attempt === ATTEMPTS) throw error
        await ingest.reset()
      }
    }
    control.report(layerLine(blob.digest, 'Pull complete'))
  }

  async #attempt(layer: FetchedLayer, control: Control): Promise<void> {
    const { ingest } = layer
    const stop = new AbortController()
    const signal = AbortSignal.any([control.signal, stop.signal])
    const downloading = this.#download(ingest, control, signal)
    const unpacking = this.#unpack(layer, downloading, control, signal)
    // Nothing is to be unpacked of what does not come.
    downloading.catch((error: unknown) => stop.abort(error))
    try {
      await unpacking
      await downloading
    } catch (error) {
      if (stop.signal.aborted || !isKind(error, 'invalid_argument')) {
        stop.abort(error)
        await Promise.allSettled([downloading, unpacking])
        if (isTooLarge(error)) await ingest.remove()
        throw stop.signal.reason
      }
      // Whose fault is it? Only all of the bytes can tell.
      await downloading
      const actual = await ingestDigest(ingest, control.signal)
      if (actual !== ingest.digest) throw wrongBlob(ingest.digest, actual)
      await ingest.remove()
      throw error
    }
  }

  async #download(ingest: Ingest, control: Control, signal: AbortSignal): Promise<void> {
    const { digest, size } = ingest
    const { limits, clock } = this.#deps
    const report = everyNow(size, (current) =>
      control.report(layerBytes(digest, 'Downloading', current, size)),
    )
    await download(ingest, control.context().repository, ingest, {
      slots: this.#connections,
      window: this.#window,
      limits,
      clock,
      signal,
      onProgress: report,
      onWaiting: () => control.report(layerLine(digest, 'Waiting')),
      onRest: (pause) => {
        if (pause >= NOTICEABLE) control.report(layerLine(digest, retrying(pause)))
      },
    })
    control.report(layerLine(digest, 'Verifying Checksum'))
    control.report(layerLine(digest, 'Download complete'))
  }

  async #unpack(
    { ingest, diffId, addition }: FetchedLayer,
    downloading: Promise<void>,
    control: Control,
    signal: AbortSignal,
  ): Promise<void> {
    const { digest, size } = ingest
    let downloaded = false
    void downloading.then(
      () => (downloaded = true),
      () => undefined,
    )
    const report = everyNow(size, (current) => {
      if (downloaded) control.report(layerBytes(digest, 'Extracting', current, size))
    })
    const free = await this.#deps.freeSpace()
    const limit = unpackedLimit(size, free)
    let slot = await this.#unpacking.acquire({ signal })
    try {
      const common = {
        signal,
        expected: diffId,
        parents: async () => {
          // They may be waiting for this very place.
          slot[Symbol.dispose]()
          const parents = await parentsOf(control)
          slot = await this.#unpacking.acquire({ signal })
          return parents
        },
      }
      const limits = { limit, onProgress: report }
      const done = size >= THREAD_FROM && (await addition.ingestBlob(ingest, { ...common, ...limits }))
      if (!done) await addition.ingest(layerTar(ingest, ingest, { signal, ...limits }), common)
    } catch (error) {
      // Where the limit is what is free, it is not the archive's fault.
      throw isTooLarge(error) && limit === free ? noSpace(limit + 1, free) : error
    } finally {
      slot[Symbol.dispose]()
    }
  }
}

interface FetchedLayer {
  readonly ingest: Ingest
  readonly diffId: Digest
  readonly addition: Addition
}

/** What is known by one who is still there. */
async function parentsOf(control: Control): Promise<readonly Digest[]> {
  for (;;) {
    const context = control.context()
    try {
      return await context.parents()
    } catch (error) {
      if (control.context() === context) throw error
    }
  }
}

function isTooLarge(error: unknown): boolean {
  return engineErrorOf(error)?.code === 'ARCHIVE_TOO_LARGE'
}

function isVerification(error: unknown): boolean {
  return error instanceof EngineError && error.code === 'LAYER_VERIFICATION'
}

/** Passes on about a hundred of the calls, and the one that says all. */
function everyNow(total: number, report: (current: number) => void): (current: number) => void {
  const step = Math.max(total / 100, 256 << 10)
  let last = 0
  return (current) => {
    if (current < total && current - last < step) return
    last = current
    report(current)
  }
}
