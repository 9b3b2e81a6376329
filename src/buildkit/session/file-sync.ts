import { EngineError } from '#base/errors.ts'
import type { Exchange, GrpcClient } from '../grpc/client.ts'
import { Packet, packets, type Stat } from '../messages/session.ts'
import type { Metadata } from '../grpc/metadata.ts'
import { metadataText } from './metadata-text.ts'

/** What of a client's directory is asked for. Patterns as in ignore files. */
export interface FileQuery {
  /** As the client calls it: `context`, `dockerfile`, or a named context. */
  readonly directory: string
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  /** Paths; what symlinks among them point to comes as well. */
  readonly follow?: readonly string[]
}

/** A file whose content is asked for. */
export interface WantedFile {
  /** Its place in the list. */
  readonly id: number
  readonly size: number
}

const METHOD = '/moby.filesync.v1.FileSync/DiffCopy'
/** Files, and bytes, that are asked for before those before them have come. */
const MOST_ASKED = 64
const MOST_BYTES = 4 << 20

/**
 * A directory of the client, by fsutil's protocol: first the list of its files, then the contents that are asked for. What
 * the client says is checked for order alone; whoever takes paths has to check them.
 */
export class FileSync implements Disposable {
  readonly #exchange: Exchange<Packet, Packet>
  readonly #packets: AsyncIterator<Packet>
  readonly #arriving = new Map<number, Arriving>()
  #bytesAsked = 0

  constructor(client: GrpcClient, query: FileQuery, signal: AbortSignal) {
    this.#exchange = client.exchange(METHOD, [Packet, Packet], { metadata: metadataOf(query), signal })
    this.#packets = this.#exchange.answers[Symbol.asyncIterator]()
  }

  /** All files, a directory before what is in it. To be read to its end, once, before anything else. */
  async *list(): AsyncGenerator<Stat> {
    for (;;) {
      const { type, stat } = await this.#next()
      if (type !== packets.stat) throw broken('something else came before the end of the list')
      if (stat === undefined) return
      yield stat
    }
  }

  /** The contents of files, in this order; each to be read before the next one. */
  async *contents<File extends WantedFile>(
    files: readonly File[],
  ): AsyncGenerator<{ readonly file: File; readonly data: AsyncIterable<Uint8Array> }> {
    let asked = 0
    for (const file of files) {
      for (let next = files[asked]; next !== undefined && this.#hasRoomFor(next); next = files[asked]) {
        await this.#ask(next)
        asked++
      }
      yield { file, data: this.#contentOf(file) }
    }
  }

  /** Tells the client that nothing more is wanted. */
  async finish(): Promise<void> {
    await this.#exchange.send({ type: packets.finish })
    while ((await this.#next()).type !== packets.finish);
    this.#exchange.end()
  }

  [Symbol.dispose](): void {
    this.#exchange[Symbol.dispose]()
  }

  #hasRoomFor({ size }: WantedFile): boolean {
    if (this.#arriving.size === 0) return true
    return this.#arriving.size < MOST_ASKED && this.#bytesAsked + size <= MOST_BYTES
  }

  async #ask({ id, size }: WantedFile): Promise<void> {
    this.#arriving.set(id, { size, chunks: [], received: 0, complete: false })
    this.#bytesAsked += size
    await this.#exchange.send({ type: packets.request, id })
  }

  async *#contentOf({ id, size }: WantedFile): AsyncGenerator<Uint8Array> {
    const arriving = this.#arriving.get(id)
    if (arriving === undefined) throw broken('a file was read that was not asked for')
    for (;;) {
      yield* arriving.chunks.splice(0)
      if (arriving.complete) break
      this.#take(await this.#next())
    }
    this.#arriving.delete(id)
    this.#bytesAsked -= size
  }

  #take({ type, id, data }: Packet): void {
    const arriving = this.#arriving.get(id)
    if (type !== packets.data || arriving === undefined || arriving.complete) {
      throw broken('content came that was not asked for')
    }
    arriving.received += data.length
    if (data.length === 0) arriving.complete = true
    // Also what bounds the memory that files take which came before their turn.
    else if (arriving.received > arriving.size)
      throw broken('a file is longer than its entry in the list says')
    else arriving.chunks.push(data)
  }

  async #next(): Promise<Packet> {
    const { done, value } = await this.#packets.next()
    if (done === true) throw broken('the client ended it')
    if (value.type === packets.error) throw refused(Buffer.from(value.data).toString('utf8'))
    return value
  }
}

interface Arriving {
  readonly size: number
  readonly chunks: Uint8Array[]
  received: number
  complete: boolean
}

function metadataOf({ directory, include = [], exclude = [], follow = [] }: FileQuery): Metadata {
  return metadataText({
    'dir-name': [directory],
    'include-patterns': include,
    'exclude-patterns': exclude,
    followpaths: follow,
  })
}

function broken(why: string): EngineError {
  return new EngineError('data_loss', `transfer of files from the client: ${why}`, {
    code: 'BUILD_TRANSFER_BROKEN',
  })
}

function refused(text: string): EngineError {
  return new EngineError('invalid_argument', `the client cannot send its files: ${text}`, {
    code: 'BUILD_TRANSFER_REFUSED',
  })
}
