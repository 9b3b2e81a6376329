/**
 * Reads the json-file logs that the shims write. Nothing is kept in memory, rotation is followed by inode, and a
 * reader never holds up a writer.
 */
import { watch } from 'node:fs'
import { dirname } from 'node:path'
import { messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { LogOptions } from '../services.ts'
import { LogDecoder } from './log-decoder.ts'
import type { LogFile } from './log-files.ts'
import { openLogFiles, seekTail, seekTime } from './log-files.ts'
import { LogOutput } from './log-output.ts'
import { timeText } from './log-record.ts'

export interface ReadLogOptions extends LogOptions {
  /** Raw text instead of stdcopy frames. */
  readonly tty: boolean
  /** Settles when nothing more will be written; without it `follow` has no effect. */
  readonly ended: Promise<unknown> | undefined
}

const READ = 256 * 1024
/** A record is never longer: 16 KiB of text, six bytes for an escaped one. Longer lines are garbage. */
const LONGEST = 4 * 1024 * 1024

export class JsonFileLogs {
  readonly #logger: Logger

  constructor(deps: { readonly logger: Logger }) {
    this.#logger = deps.logger
  }

  /** The selected records of the log whose newest file is `file`, as a client gets them. */
  async *read(file: string, options: ReadLogOptions): AsyncGenerator<Uint8Array> {
    const { tty, timestamps, details, stdout, stderr, tail, ended, signal } = options
    if (signal?.aborted === true || (!stdout && !stderr)) return
    const output = new LogOutput({ tty, timestamps, details })
    const since = options.since === undefined ? undefined : timeText(options.since)
    const until = options.until === undefined ? undefined : timeText(options.until)
    const decoder = new LogDecoder({ stdout, stderr, timestamps, since, until, output })
    const following = options.follow && ended !== undefined
    const reader = new Reader(decoder, output, { bounded: !following })

    await using resources = new AsyncDisposableStack()
    resources.defer(() => reader.close())
    // Watching begins before reading, so that no change is missed between the two.
    const changes = following
      ? resources.use(this.#watch(dirname(file), { ended, until: options.until, signal }))
      : undefined

    const files = await openLogFiles(file)
    try {
      if (tail !== undefined) await seekTail(files, tail)
      if (since !== undefined) await seekTime(files, since)
    } catch (error) {
      await Promise.all(files.map((opened) => opened[Symbol.asyncDispose]()))
      throw error
    }
    yield* reader.take(files, signal)
    if (changes !== undefined) yield* follow(file, reader, changes)
  }

  #watch(
    directory: string,
    sources: {
      readonly ended: Promise<unknown>
      readonly until: bigint | undefined
      readonly signal: AbortSignal | undefined
    },
  ): Changes {
    const changes = new Changes(sources.ended, sources.signal)
    try {
      changes.watch(directory)
    } catch (error) {
      // Out of inotify watches: look twice a second instead.
      this.#logger.warn('log directory cannot be watched', { directory, error: messageOf(error) })
      changes.poll(500)
    }
    if (sources.until !== undefined) changes.endAt(Number(sources.until / 1_000_000n) + 1)
    return changes
  }
}

async function* follow(path: string, reader: Reader, changes: Changes): AsyncGenerator<Uint8Array> {
  for (;;) {
    const last = changes.over
    const changed = changes.next()
    yield* reader.drain()
    if (reader.finished || changes.aborted) return
    await reader.recognise()
    const newer = await reader.unseen(await openLogFiles(path, reader.seen))
    if (newer.length > 0) {
      // The writer left the old file before it made the new one: what is in it now is all.
      yield* reader.drain()
      yield* reader.take(newer, undefined)
      if (reader.finished) return
      continue
    }
    if (last) return
    await changed
  }
}

/** Takes bytes from one file after the other through the decoder. */
class Reader {
  /** Identities of all files taken. */
  readonly seen = new Set<string>()
  readonly #decoder: LogDecoder
  readonly #output: LogOutput
  readonly #bounded: boolean
  #buffer = Buffer.allocUnsafe(READ)
  /** Bytes at the start of the buffer that are not a whole line yet. */
  #kept = 0
  #file: LogFile | undefined
  /** The identity that it has once it is packed. */
  #packed: string | undefined
  #waiting: LogFile[] = []

  /** `bounded`: files are read as they were when opened, so that a busy writer cannot keep the reader for ever. */
  constructor(decoder: LogDecoder, output: LogOutput, options: { readonly bounded: boolean }) {
    this.#decoder = decoder
    this.#output = output
    this.#bounded = options.bounded
  }

  get finished(): boolean {
    return this.#decoder.finished
  }

  /** Reads the files to their ends, oldest first; the last one stays the current one. Owns their handles. */
  async *take(files: readonly LogFile[], signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    this.#waiting.push(...files)
    for (const { identity } of files) this.seen.add(identity)
    for (;;) {
      const file = this.#waiting.shift()
      if (file === undefined) return
      await this.#file?.[Symbol.asyncDispose]()
      this.#packed = undefined
      this.#file = file
      this.#kept = 0
      yield* this.drain(signal)
      if (this.finished || signal?.aborted === true) return
    }
  }

  /** The current file is known again when it has been rotated away and packed. */
  async recognise(): Promise<void> {
    if (this.#file === undefined) return
    if (this.#packed !== undefined) this.seen.delete(this.#packed)
    this.#packed = (await this.#file.stat()).packedIdentity
    this.seen.add(this.#packed)
  }

  /** Without the current file, which may have been written to, rotated and packed while they were opened. */
  async unseen(files: readonly LogFile[]): Promise<LogFile[]> {
    if (files.length === 0) return []
    await this.recognise()
    const known = files.filter(({ identity }) => this.seen.has(identity))
    for (const file of known) await file[Symbol.asyncDispose]()
    return files.filter((file) => !known.includes(file))
  }

  /** Reads what the current file has. */
  async *drain(signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const file = this.#file
    if (file === undefined) return
    while (!this.finished && signal?.aborted !== true) {
      this.#makeRoom()
      const room = this.#buffer.length - this.#kept
      const want = this.#bounded ? Math.min(room, file.size - file.position) : room
      if (want <= 0) break
      const bytesRead = await file.read(this.#buffer, this.#kept, want, file.position)
      if (bytesRead === 0) {
        if (file.position === 0 || (await file.stat()).size >= file.position) break
        // Somebody emptied the file.
        file.position = 0
        this.#kept = 0
        continue
      }
      file.position += bytesRead
      const filled = this.#kept + bytesRead
      const used = this.#decoder.feed(this.#buffer, filled)
      this.#buffer.copyWithin(0, used, filled)
      this.#kept = filled - used
      yield* this.#output.drain()
    }
    yield* this.#output.drain()
  }

  async close(): Promise<void> {
    const files = [this.#file, ...this.#waiting]
    this.#file = undefined
    this.#waiting = []
    for (const file of files) await file?.[Symbol.asyncDispose]()
  }

  #makeRoom(): void {
    if (this.#kept < this.#buffer.length) return
    if (this.#buffer.length >= LONGEST) {
      this.#kept = 0
      return
    }
    const larger = Buffer.allocUnsafe(this.#buffer.length * 2)
    this.#buffer.copy(larger)
    this.#buffer = larger
  }
}

/** Says when a follower should look again. */
class Changes implements Disposable {
  /** Nothing more is expected: look once more, then end. */
  over = false
  aborted = false
  readonly #signal: AbortSignal | undefined
  readonly #stack = new DisposableStack()
  #next = Promise.withResolvers<void>()

  constructor(ended: Promise<unknown>, signal: AbortSignal | undefined) {
    this.#signal = signal
    ended.then(this.#end, this.#end)
    const abort = (): void => {
      this.aborted = true
      this.#end()
    }
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort, { once: true })
    this.#stack.defer(() => this.#signal?.removeEventListener('abort', abort))
  }

  watch(directory: string): void {
    const watcher = watch(directory, this.#wake)
    this.#stack.defer(() => watcher.close())
    watcher.on('error', () => this.poll(500))
  }

  poll(milliseconds: number): void {
    const timer = setInterval(this.#wake, milliseconds)
    this.#stack.defer(() => clearInterval(timer))
  }

  /** Milliseconds since the epoch. */
  endAt(time: number): void {
    const timer = setTimeout(this.#end, Math.min(Math.max(0, time - Date.now()), 2 ** 31 - 1))
    this.#stack.defer(() => clearTimeout(timer))
  }

  /** Resolves at the first change after this call; take it before looking. */
  next(): Promise<void> {
    if (this.over) return Promise.resolve()
    this.#next = Promise.withResolvers()
    return this.#next.promise
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  readonly #wake = (): void => this.#next.resolve()

  readonly #end = (): void => {
    this.over = true
    this.#wake()
  }
}
