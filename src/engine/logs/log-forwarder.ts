/**
 * Takes the logs of containers where their drivers want them. The container's supervisor always writes a file, and this
 * follows it: a server that is slow or away stalls no container, what is written while the daemon is down is sent later,
 * and `docker logs` works with every driver. What a server has not taken is lost only when the file is rotated away.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { type Frame, FrameReader, streamType } from '#api/stdcopy.ts'
import type { Background } from '#base/background.ts'
import { type Clock, settlesWithin } from '#base/clock.ts'
import { isErrno, messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { ForwardedRecord, LogDestination } from './destinations/destination.ts'
import type { ReadLogOptions } from './json-file-logs.ts'
import { timeNanoseconds } from './log-record.ts'

export interface ForwarderDeps {
  readonly logs: {
    read(file: string, options: ReadLogOptions): AsyncIterable<Uint8Array>
  }
  readonly background: Background
  readonly clock: Clock
  readonly logger: Logger
}

/** What is forwarded: the log at `file`, from where the file at `progress` says. */
export interface ForwardedLog {
  readonly id: string
  readonly file: string
  readonly progress: string
  readonly open: () => Promise<LogDestination>
}

/** How far a log has been sent: records of one read of the container's output have the same time. */
interface Progress {
  readonly time: string
  /** Records of that time that were sent. */
  readonly count: number
}

interface Session {
  ended: Promise<unknown> | undefined
  failing: boolean
  readonly abort: AbortController
  done: Promise<void>
}

const NEWLINE = 0x0a
/** Milliseconds between two tries: the first, and the longest. */
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 30_000
/** Milliseconds in which the progress is written once. */
const NOTE_EVERY = 1000
/** Milliseconds that a removal waits for a destination that takes records. */
const FINISH_PATIENCE = 10_000

export class LogForwarder {
  readonly #deps: ForwarderDeps
  readonly #sessions = new Map<string, Session>()

  constructor(deps: ForwarderDeps) {
    this.#deps = deps
  }

  /** Sends what the log has and gets until `ended` settles; without it only what there is now. */
  forward(log: ForwardedLog, ended: Promise<unknown> | undefined): void {
    const running = this.#sessions.get(log.id)
    if (running !== undefined) {
      // The life before is still being sent.
      running.ended = ended
      return
    }
    const session: Session = {
      ended,
      failing: false,
      abort: new AbortController(),
      done: Promise.resolve(),
    }
    this.#sessions.set(log.id, session)
    session.done = this.#run(log, session).finally(() => this.#sessions.delete(log.id))
    this.#deps.background.run('forwarding a log', () => session.done)
  }

  /** Before the log is removed: waits for what is still being sent, not for a destination that is away. */
  async finish(id: string): Promise<void> {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    if (!session.failing) await settlesWithin(this.#deps.clock, FINISH_PATIENCE, session.done)
    session.abort.abort()
    await session.done
  }

  /** The daemon ends; the next one goes on where this one was. */
  async close(): Promise<void> {
    const sessions = [...this.#sessions.values()]
    for (const { abort } of sessions) abort.abort()
    await Promise.all(sessions.map(({ done }) => done))
  }

  async #run(log: ForwardedLog, session: Session): Promise<void> {
    const { clock, logger } = this.#deps
    const { signal } = session.abort
    const progress = new ProgressFile(log.progress, clock)
    await progress.load()
    let pause = FIRST_PAUSE
    for (let ended = session.ended; ;) {
      try {
        await this.#send(log, session, progress, ended)
        if (signal.aborted || session.ended === ended) break
        ended = session.ended
        pause = FIRST_PAUSE
      } catch (error) {
        if (signal.aborted) break
        const first = !session.failing
        session.failing = true
        if (first) {
          const fields = { container: log.id, error: messageOf(error) }
          logger.warn('the log of a container cannot be forwarded yet', fields)
        }
        await clock.sleep(pause, { signal }).catch(() => undefined)
        if (signal.aborted) break
        pause = Math.min(pause * 2, LONGEST_PAUSE)
      }
    }
    await progress.write()
  }

  /** Resolves when the log has ended and all of it was sent. */
  async #send(
    log: ForwardedLog,
    session: Session,
    progress: ProgressFile,
    ended: Promise<unknown> | undefined,
  ): Promise<void> {
    const { signal } = session.abort
    await using destination = await log.open()
    for await (const records of this.#records(log.file, progress, ended, signal)) {
      await destination.send(records, { signal })
      if (session.failing)
        this.#deps.logger.info('the log of a container is forwarded again', { container: log.id })
      session.failing = false
      await progress.sent(records)
    }
  }

  async *#records(
    file: string,
    progress: ProgressFile,
    ended: Promise<unknown> | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<readonly ForwardedRecord[]> {
    const { time } = progress.current
    let { count } = progress.current
    const frames = new FrameReader()
    const since = time === '' ? undefined : timeNanoseconds(time)
    const options = { ...EVERYTHING, since, follow: ended !== undefined, ended, signal }
    for await (const chunk of this.#deps.logs.read(file, options)) {
      const records = frames.push(chunk).map(recordOf)
      const fresh = records.filter((record) => {
        if (record.time !== time || count === 0) return true
        count -= 1
        return false
      })
      if (fresh.length > 0) yield fresh
    }
  }
}

/** Records as a client gets them, with the time in front. */
const EVERYTHING = {
  tty: false,
  stdout: true,
  stderr: true,
  timestamps: true,
  details: false,
  until: undefined,
  tail: undefined,
} as const

const TIME_LENGTH = 30
/** A line is cut when it has more; a piece may be shorter by the rest of a character. */
const PIECE = 16 * 1024 - 3

function recordOf({ type, payload }: Frame): ForwardedRecord {
  const time = Buffer.from(payload.subarray(0, TIME_LENGTH)).toString('latin1')
  const line = payload.subarray(TIME_LENGTH + 1)
  const whole = line.at(-1) === NEWLINE
  return {
    stdout: type === streamType.stdout,
    time,
    text: whole ? line.subarray(0, -1) : line,
    partial: !whole && line.length >= PIECE,
  }
}

/** Progress in memory, and now and then on disk: after a crash a second's records are sent twice. */
class ProgressFile {
  current: Progress = { time: '', count: 0 }
  readonly #path: string
  readonly #clock: Clock
  #noted = 0
  #changed = false

  constructor(path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  async load(): Promise<void> {
    const text = await readIfThere(this.#path)
    const [time = '', count = ''] = text.split(' ')
    if (time.length === TIME_LENGTH && /^\d+$/.test(count)) this.current = { time, count: Number(count) }
  }

  async sent(records: readonly ForwardedRecord[]): Promise<void> {
    const time = records.at(-1)?.time ?? ''
    const last = records.filter((record) => record.time === time).length
    const before = this.current.time === time ? this.current.count : 0
    this.current = { time, count: before + last }
    this.#changed = true
    if (this.#clock.now().getTime() - this.#noted >= NOTE_EVERY) await this.write()
  }

  async write(): Promise<void> {
    if (!this.#changed) return
    this.#changed = false
    this.#noted = this.#clock.now().getTime()
    const aside = `${this.#path}.new`
    await writeFile(aside, `${this.current.time} ${this.current.count}`, { mode: 0o600 })
    await rename(aside, this.#path)
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  }
}
