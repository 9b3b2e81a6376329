import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Background } from '#base/background.ts'
import { systemClock } from '#base/clock.ts'
import { jsonLogger, silentLogger } from '#base/logger.ts'
import type { ForwardedRecord, LogDestination } from './destinations/destination.ts'
import { JsonFileLogs } from './json-file-logs.ts'
import { type ForwardedLog, LogForwarder } from './log-forwarder.ts'

const logs = new JsonFileLogs({ logger: silentLogger })
let directory: string
let log: ForwardedLog
let server: Server

/** Takes records, or does not. */
class Server implements LogDestination {
  readonly got: string[] = []
  away = false
  open = 0
  /** Records that were taken of a batch that failed. */
  torn = Infinity
  readonly changed = new Set<() => void>()

  async send(records: readonly ForwardedRecord[]): Promise<void> {
    if (this.away) throw new Error('away')
    for (const { text } of records) {
      if (this.torn-- <= 0) throw new Error('torn')
      this.got.push(Buffer.from(text).toString())
      for (const tell of this.changed) tell()
    }
  }

  async has(count: number): Promise<void> {
    while (this.got.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.changed.add(resolve)
      await promise
      this.changed.delete(resolve)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.open -= 1
  }
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-forward-'))
  server = new Server()
  log = {
    id: 'web',
    file: join(directory, 'log'),
    progress: join(directory, 'progress'),
    open: async () => {
      server.open += 1
      return server
    },
  }
})
afterEach(() => rm(directory, { recursive: true }))

/** One read of output: its records have one time. */
const lines = (second: number, ...texts: readonly string[]): string =>
  texts
    .map((text) => `{"log":"${text}\\n","stream":"stdout","time":"2026-01-02T00:00:0${second}.000000001Z"}\n`)
    .join('')

const forwarder = (logger = silentLogger) =>
  new LogForwarder({ logs, background: new Background(silentLogger), clock: systemClock, logger })

describe('LogForwarder', () => {
  it('sends what is there and what comes, until the end of the container', async () => {
    const ended = Promise.withResolvers<void>()
    await writeFile(log.file, lines(1, 'a', 'b'))
    const one = forwarder()
    one.forward(log, ended.promise)
    await server.has(2)
    await appendFile(log.file, lines(2, 'c'))
    await server.has(3)
    ended.resolve()
    await one.finish('web')
    assert.deepEqual([server.got, server.open], [['a', 'b', 'c'], 0])
  })

  it('goes on where the daemon before was, also among records of one time', async () => {
    await writeFile(log.file, lines(1, 'a', 'b'))
    const one = forwarder()
    one.forward(log, undefined)
    await one.finish('web')
    await appendFile(log.file, lines(1, 'c') + lines(2, 'd'))
    const two = forwarder()
    two.forward(log, undefined)
    await two.finish('web')
    assert.deepEqual(server.got, ['a', 'b', 'c', 'd'])
    assert.equal(await readFile(log.progress, 'utf8'), '2026-01-02T00:00:02.000000001Z 1')
  })

  it('tries again while the server is away, and leaves nothing out', async () => {
    const ended = new Promise<void>(() => undefined)
    await writeFile(log.file, lines(1, 'a', 'b'))
    server.torn = 1
    const one = forwarder()
    one.forward(log, ended)
    await server.has(1)
    server.torn = Infinity
    await server.has(3)
    assert.deepEqual(server.got, ['a', 'a', 'b'])
    await one.close()
    assert.equal(server.open, 0)
  })

  it('keeps no removal waiting for a server that is away', async () => {
    server.away = true
    await writeFile(log.file, lines(1, 'a'))
    const { promise: said, resolve } = Promise.withResolvers<void>()
    const one = forwarder(jsonLogger(() => resolve(), 'warn'))
    one.forward(log, undefined)
    await said
    await one.finish('web')
    assert.deepEqual([server.got, server.open], [[], 0])
  })

  it('sends the next life after the one before', async () => {
    const one = forwarder()
    await writeFile(log.file, lines(1, 'a'))
    const first = Promise.withResolvers<void>()
    one.forward(log, first.promise)
    await server.has(1)
    const second = Promise.withResolvers<void>()
    one.forward(log, second.promise)
    first.resolve()
    await appendFile(log.file, lines(2, 'b'))
    await server.has(2)
    second.resolve()
    await one.finish('web')
    assert.deepEqual(server.got, ['a', 'b'])
  })
})
