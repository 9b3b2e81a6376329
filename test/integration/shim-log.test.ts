import assert from 'node:assert/strict'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { ShimContainers, logText } from '#test/support/shim-containers.ts'

const LINE_LIMIT = 16_384
const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/

interface LogRecord {
  readonly log: string
  readonly stream: string
  readonly time: string
}

/** Pieces of a line: at most 16 KiB each without the newline, never cutting a character that begins before the limit. */
function piecesOf(line: Buffer): Buffer[] {
  const body = line.at(-1) === 0x0a ? line.length - 1 : line.length
  if (body <= LINE_LIMIT) return [line]
  let cut = LINE_LIMIT
  for (let back = 1; back <= 3; back++) {
    const byte = line[LINE_LIMIT - back] ?? 0
    if (byte < 0x80) break
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 0
    if (size === 0) continue
    if (size > back) cut = LINE_LIMIT - back
    break
  }
  return [line.subarray(0, cut), ...piecesOf(line.subarray(cut))]
}

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(0x0a, at)
    const end = newline < 0 ? bytes.length : newline + 1
    lines.push(bytes.subarray(at, end))
    at = end
  }
  return lines
}

/** Stands for an invalid byte; no valid UTF-8 decodes to it. */
const INVALID = '\udc00'

/** UTF-8 as Go reads it: every byte that does not begin or continue a valid sequence is invalid by itself. */
function decode(bytes: Buffer): string {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let text = ''
  for (let at = 0; at < bytes.length;) {
    const lead = bytes[at] ?? 0
    const size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    try {
      text += strict.decode(bytes.subarray(at, at + size))
      at += size
    } catch {
      text += INVALID
      at++
    }
  }
  return text
}

/** The JSON of one record, byte for byte. */
function encode(piece: Buffer, stream: string, time: string): string {
  const escaped = decode(piece).replace(/["\\<>&\p{Cc}\p{Zl}\p{Zp}\udc00]/gu, (c) => {
    if (c === INVALID) return '\\ufffd'
    // Of the controls only those of ASCII are escaped.
    if (c >= '\x7f' && c <= '\x9f') return c
    if (c === '"' || c === '\\') return `\\${c}`
    if (c === '\n') return '\\n'
    if (c === '\r') return '\\r'
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return `{"log":"${escaped}","stream":"${stream}","time":"${time}"}`
}

let containers: ShimContainers
before(async () => {
  containers = await ShimContainers.open('shim-log')
})
after(() => containers[Symbol.asyncDispose]())

/** The log's lines after `chunks` went through a process' standard output. */
async function logged(chunks: readonly Uint8Array[]): Promise<readonly string[]> {
  const container = await containers.create({ args: ['cat'], shim: { stdin: true, stdinOnce: true } })
  const stream = await container.shim.attach('init', { stdin: true, stdout: false, stderr: false })
  await container.shim.start()
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  await container.events.next('exit')
  const text = await readFile(join(container.directory, 'log'), 'utf8')
  assert.ok(text === '' || text.endsWith('\n'))
  return text.split('\n').slice(0, -1)
}

function check(lines: readonly string[], bytes: Buffer): void {
  let at = 0
  for (const line of linesOf(bytes)) {
    const pieces = piecesOf(line)
    const stamps = new Set<string>()
    for (const piece of pieces) {
      const { time } = JSON.parse(lines[at] ?? '{}') as LogRecord
      assert.match(time, STAMP)
      // Not assert.equal: its message would be as long as the line.
      assert.ok(lines[at] === encode(piece, 'stdout', time), `record ${at}: ${lines[at]?.slice(0, 200)}`)
      stamps.add(time)
      at++
    }
    assert.equal(stamps.size, 1)
  }
  assert.equal(lines.length, at)
}

const character = fc.constantFrom(
  'a',
  '"',
  '\\',
  '<',
  '&',
  '\t',
  '\r',
  '\0',
  '\x7f',
  'é',
  '\u2028',
  '\u2029',
  '語',
  '😀',
  '\ufffd',
)
const invalid = fc.constantFrom(
  [0x80],
  [0xc0, 0xaf],
  [0xed, 0xa0, 0x80],
  [0xf0, 0x80, 0x80, 0xaf],
  [0xe2, 0x80],
  [0xf5],
  [0xff],
)
const segment = fc.oneof(
  fc.string({ unit: character, maxLength: 40 }).map((text) => Buffer.from(text)),
  invalid.map((bytes) => Buffer.from(bytes)),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.constant(Buffer.from('\n')),
  fc
    .tuple(character, fc.constantFrom(1, 2, 3), fc.integer({ min: -4, max: 4 }))
    .map(([c, times, off]) => Buffer.alloc(LINE_LIMIT * times + off, Buffer.from(c))),
)

describe('log', () => {
  it('holds exactly the records that the protocol says, for any bytes in any portions', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { maxLength: 30 }), async (segments) => {
        check(await logged(segments), Buffer.concat(segments))
      }),
      { numRuns: 40, endOnFailure: true },
    )
  })

  it('splits lines around the limit without losing a byte', async () => {
    for (const length of [LINE_LIMIT - 1, LINE_LIMIT, LINE_LIMIT + 1, 2 * LINE_LIMIT, 2 * LINE_LIMIT + 1]) {
      const bytes = Buffer.concat([Buffer.alloc(length, 'x'), Buffer.from('\nnext\nrest')])
      check(await logged([bytes]), bytes)
    }
  })

  it('tells the streams apart', async () => {
    const container = await containers.create({
      args: ['sh', '-c', 'printf o; printf e >&2; echo ut; echo rr >&2'],
    })
    await container.shim.start()
    await container.events.next('exit')
    const text = await readFile(join(container.directory, 'log'), 'utf8')
    const records = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as LogRecord)
    const seen = records.map(({ log, stream }) => `${stream} ${log}`).sort()
    assert.deepEqual(seen, ['stderr err\n', 'stdout out\n'])
  })

  it('rotates before a record that does not fit and keeps so many files', async () => {
    for (const maxFiles of [1, 3]) {
      const directory = join(containers.path, `logs${maxFiles}`)
      await mkdir(directory)
      const log = { file: join(directory, 'log'), maxSize: 4000, maxFiles }
      const container = await containers.create({ args: ['seq', '1000000', '1001000'], shim: { log } })
      await container.shim.start()
      await container.events.next('exit')

      const names = (await readdir(directory)).sort()
      assert.deepEqual(names, ['log', 'log.1', 'log.2'].slice(0, maxFiles))
      let all = ''
      for (const name of names.toReversed()) {
        assert.ok((await readFile(join(directory, name))).length <= 4000)
        all += await logText(join(directory, name))
      }
      const numbers = all.trim().split('\n').map(Number)
      assert.equal(numbers.at(-1), 1_001_000)
      assert.ok(numbers.every((n, i) => i === 0 || n === (numbers[i - 1] ?? 0) + 1))
      assert.ok(numbers.length > 20 * maxFiles)
    }
  })

  it('cuts a torn record off and goes on behind the last whole one', async () => {
    const whole = `{"log":"${'x'.repeat(9000)}\\n","stream":"stdout","time":"2026-01-02T03:04:05.000000000Z"}\n`
    for (const [found, kept] of [
      [`${whole}{"log":"to`, whole],
      [`{"log":"${'y'.repeat(9000)}`, ''],
      [whole, whole],
      ['', ''],
    ] as const) {
      const log = { file: join(containers.path, 'found/log'), maxSize: 0, maxFiles: 1 }
      await mkdir(dirname(log.file), { recursive: true })
      await writeFile(log.file, found)
      const container = await containers.create({ args: ['echo', 'new'], shim: { log } })
      await container.shim.start()
      await container.events.next('exit')
      const text = await readFile(log.file, 'utf8')
      assert.ok(text.startsWith(kept))
      assert.match(text.slice(kept.length), /^\{"log":"new\\n","stream":"stdout","time":"[^"]+"\}\n$/)
    }
  })
})
