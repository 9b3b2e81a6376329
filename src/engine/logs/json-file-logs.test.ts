import assert from 'node:assert/strict'
import {
  appendFile,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import type { ReadLogOptions } from './json-file-logs.ts'
import { JsonFileLogs } from './json-file-logs.ts'

const logs = new JsonFileLogs({ logger: silentLogger })
let directory: string
let file: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-logs-'))
  file = join(directory, 'x-json.log')
})
afterEach(() => rm(directory, { recursive: true }))

const START = Date.parse('2026-01-02T00:00:00Z')

/** Record `n`, written `n` seconds after START. */
function record(n: number, stream = 'stdout'): string {
  const time = `${new Date(START + n * 1000).toISOString().slice(0, 19)}.000000000Z`
  return `{"log":"line ${n}\\n","stream":"${stream}","time":"${time}"}\n`
}

const records = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => record(from + i)).join('')
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('')
const at = (n: number) => BigInt(START + n * 1000) * 1_000_000n

const defaults: ReadLogOptions = {
  tty: true,
  stdout: true,
  stderr: true,
  follow: false,
  timestamps: false,
  details: false,
  since: undefined,
  until: undefined,
  tail: undefined,
  ended: undefined,
}

async function read(options: Partial<ReadLogOptions> = {}): Promise<string> {
  const chunks = await Array.fromAsync(logs.read(file, { ...defaults, ...options }))
  return Buffer.concat(chunks).toString()
}

/** As the writer packs a rotated file. */
async function pack(path: string): Promise<void> {
  const { atime, mtime } = await stat(path)
  await writeFile(`${path}.gz`, gzipSync(await readFile(path)))
  await utimes(`${path}.gz`, atime, mtime)
  await unlink(path)
}

describe('JsonFileLogs.read()', () => {
  it('reads packed files, and only those that it needs', async () => {
    await writeFile(`${file}.2.gz`, 'this is not packed')
    await writeFile(`${file}.1`, records(3, 5))
    await pack(`${file}.1`)
    await writeFile(file, records(5, 6))
    assert.equal(await read({ tail: 2 }), lines(4, 6))
    await rename(`${file}.1.gz`, `${file}.2.gz`)
    await writeFile(`${file}.1`, '')
    assert.equal(await read(), lines(3, 6))
    assert.deepEqual(await readdir(directory), ['x-json.log', 'x-json.log.1', 'x-json.log.2.gz'])
  })

  it('follows files that are packed behind it', async () => {
    const ended = Promise.withResolvers<void>()
    await writeFile(file, records(0, 1))
    const stream = logs.read(file, { ...defaults, follow: true, ended: ended.promise })
    const chunks: Uint8Array[] = []
    const done = (async () => {
      for await (const chunk of stream) chunks.push(chunk)
    })()
    for (let n = 1; n < 6; n++) {
      await appendFile(file, records(n, n + 1))
      await rename(file, `${file}.1`)
      await utimes(`${file}.1`, n, n)
      await pack(`${file}.1`)
      await writeFile(file, '')
      await setTimeout(20)
    }
    ended.resolve()
    await done
    assert.equal(Buffer.concat(chunks).toString(), lines(0, 6))
  })

  it('reads rotated files oldest first, and nothing where there is no log', async () => {
    assert.equal(await read(), '')
    await writeFile(`${file}.2`, records(0, 3))
    await writeFile(`${file}.1`, records(3, 5))
    assert.equal(await read(), lines(0, 5))
    await writeFile(file, records(5, 6) + record(6).slice(0, 20))
    assert.equal(await read(), lines(0, 6))
  })

  it('gives the last N records, across files and blocks', async () => {
    await writeFile(`${file}.1`, records(0, 3000))
    await writeFile(file, records(3000, 3010))
    for (const tail of [0, 1, 9, 10, 11, 2000, 3009, 3010, 9999]) {
      assert.equal(await read({ tail }), lines(Math.max(0, 3010 - tail), 3010), String(tail))
    }
    await appendFile(file, '{"log":"torn')
    assert.equal(await read({ tail: 2 }), lines(3008, 3010))
  })

  it('finds a time in a large file without reading all of it', async () => {
    await writeFile(`${file}.1`, records(0, 10))
    await writeFile(file, records(10, 30_010))
    assert.equal(await read({ since: at(29_990) }), lines(29_990, 30_010))
    assert.equal(await read({ since: at(4), until: at(12) }), lines(4, 13))
    assert.equal(await read({ since: at(12), tail: 5 }), lines(30_005, 30_010))
    assert.equal(await read({ since: at(40_000) }), '')
  })

  it('frames what is not a terminal, per stream', async () => {
    await writeFile(file, record(1) + record(2, 'stderr'))
    const bytes = Buffer.concat(
      await Array.fromAsync(logs.read(file, { ...defaults, tty: false, timestamps: true, stdout: false })),
    )
    const payload = '2026-01-02T00:00:02.000000000Z line 2\n'
    assert.deepEqual([...bytes.subarray(0, 8)], [2, 0, 0, 0, 0, 0, 0, payload.length])
    assert.equal(bytes.subarray(8).toString(), payload)
  })
})

/** Follows the log; `until` resolves when the text so far ends with something. */
function follower(options: Partial<ReadLogOptions> = {}) {
  const ended = Promise.withResolvers<void>()
  let text = ''
  let check = (): void => undefined
  const done = (async () => {
    for await (const chunk of logs.read(file, {
      ...defaults,
      follow: true,
      ended: ended.promise,
      ...options,
    })) {
      text += Buffer.from(chunk).toString()
      check()
    }
    return text
  })()
  return {
    done,
    end: ended.resolve,
    until: (end: string) =>
      new Promise<void>((resolve) => {
        check = () => {
          if (text.endsWith(end)) resolve()
        }
        check()
      }),
  }
}

describe('JsonFileLogs.read() with follow', () => {
  it('waits for the file, then gives lines as they are completed', async () => {
    const reader = follower()
    await writeFile(file, records(0, 2))
    await reader.until(lines(0, 2))
    await appendFile(file, record(2).slice(0, 30))
    await appendFile(file, record(2).slice(30) + record(3))
    await reader.until(lines(2, 4))
    await appendFile(file, records(4, 6))
    reader.end()
    assert.equal(await reader.done, lines(0, 6))
  })

  it('loses nothing when the log rotates, even several times at once', async () => {
    await writeFile(file, records(0, 3))
    const reader = follower({ tail: 1 })
    await reader.until(lines(2, 3))
    const rotate = async (n: number): Promise<void> => {
      await appendFile(file, record(n))
      await rename(`${file}.2`, `${file}.3`).catch(() => undefined)
      await rename(`${file}.1`, `${file}.2`).catch(() => undefined)
      await rename(file, `${file}.1`)
      await writeFile(file, record(n + 1))
    }
    await rotate(3)
    await rotate(5)
    await reader.until(lines(6, 7))
    await rotate(7)
    await reader.until(lines(8, 9))
    // With a single file the old one is removed.
    await appendFile(file, record(9))
    await unlink(file)
    await writeFile(file, record(10))
    await reader.until(lines(10, 11))
    reader.end()
    assert.equal(await reader.done, lines(2, 11))
  })

  it('begins anew when somebody empties the file', async () => {
    await writeFile(file, records(0, 3))
    const reader = follower()
    await reader.until(lines(0, 3))
    await truncate(file, 0)
    await appendFile(file, record(9))
    await reader.until(lines(9, 10))
    reader.end()
    await reader.done
  })

  it('ends at once when it is cancelled', async () => {
    const controller = new AbortController()
    await writeFile(file, records(0, 3))
    const reader = follower({ signal: controller.signal })
    await reader.until(lines(0, 3))
    controller.abort()
    assert.equal(await reader.done, lines(0, 3))
  })

  it('ends when the container has ended before', async () => {
    await writeFile(file, records(0, 3))
    assert.equal(await read({ follow: true, ended: Promise.resolve() }), lines(0, 3))
    assert.equal(await read({ follow: true, ended: Promise.reject(new Error('gone')) }), lines(0, 3))
  })

  it('ends at a given time', async () => {
    await writeFile(file, records(0, 3))
    const until = BigInt(Date.now() + 5) * 1_000_000n
    assert.equal(
      await read({ follow: true, ended: Promise.withResolvers<void>().promise, until }),
      lines(0, 3),
    )
  })
})
