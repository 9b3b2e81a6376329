import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LogDecoder } from './log-decoder.ts'
import { LogOutput } from './log-output.ts'
import { normalTime, parseRecord, scanRecord, timeText } from './log-record.ts'

const TIME = '2026-01-02T03:04:05.123456789Z'

/** As the shim and Docker write it. */
function encode(log: string, stream = 'stdout', time = TIME): string {
  const text = JSON.stringify(log).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `{"log":${text},"stream":"${stream}","time":"${time}"}\n`
}

function decode(file: string, options: { since?: string; until?: string; stderr?: boolean } = {}): string {
  const output = new LogOutput({ tty: true, timestamps: false, details: false })
  const decoder = new LogDecoder({
    stdout: true,
    stderr: options.stderr ?? true,
    timestamps: false,
    since: options.since,
    until: options.until,
    output,
  })
  const bytes = Buffer.from(file)
  decoder.feed(bytes, bytes.length)
  return Buffer.concat([...output.drain()]).toString()
}

describe('LogDecoder.feed()', () => {
  it('gives back every text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.boolean(), fc.boolean())),
        (records) => {
          const texts = records.map(([text, newline]) => (newline ? `${text}\n` : text))
          const file = records
            .map(([, , out], i) => encode(texts[i] ?? '', out ? 'stdout' : 'stderr'))
            .join('')
          assert.equal(decode(file), texts.join('').toWellFormed())
        },
      ),
    )
  })

  it('agrees with JSON on texts made to look like the end of a record', () => {
    for (const log of [
      '","stream":"stdout","time":"x"}',
      '\\',
      '\\\\n',
      '"\n',
      '\\n',
      'a\\',
      '{"log":"',
      '',
    ]) {
      assert.equal(decode(encode(log)), log)
    }
  })

  it('passes over torn, zero-filled and foreign lines', () => {
    const good = encode('good\n')
    for (const bad of [good.slice(5), good.slice(0, 30), '\0'.repeat(200), 'null', '{}', '[1]', '"x"']) {
      assert.equal(decode(`${bad.replace(/\n$/, '')}\n${good}`), 'good\n', JSON.stringify(bad))
    }
  })

  it("reads Docker's times without trailing zeros, other member orders and attributes", () => {
    assert.equal(decode(encode('a\n', 'stdout', '2026-01-02T03:04:05.1Z')), 'a\n')
    assert.equal(decode(encode('a\n', 'stdout', '2026-01-02T03:04:05Z')), 'a\n')
    assert.equal(decode(`{"time":"${TIME}","stream":"stderr","log":"a\\n"}\n`), 'a\n')
    const record = `{"log":"a\\n","stream":"stderr","attrs":{"k":"v"},"time":"${TIME}"}`
    assert.deepEqual(parseRecord(Buffer.from(record), 0, record.length), {
      stdout: false,
      text: Buffer.from('a\n'),
      time: TIME,
      attributes: { k: 'v' },
    })
    const shape = { stdout: true, textStart: 0, textEnd: 0, timeStart: 0, timeEnd: 0 }
    assert.equal(scanRecord(Buffer.from(record), 0, record.length, shape), false)
  })

  it('selects by stream and time', () => {
    const file = ['05.1Z', '05.2Z', '06Z', '07.000000001Z']
      .map((end, i) => encode(`${i}\n`, i % 2 === 0 ? 'stdout' : 'stderr', `2026-01-02T03:04:${end}`))
      .join('')
    const at = (end: string) => `2026-01-02T03:04:${end}`
    assert.equal(decode(file, { stderr: false }), '0\n2\n')
    assert.equal(decode(file, { since: at('05.200000000Z'), until: at('06.000000000Z') }), '1\n2\n')
    assert.equal(decode(file, { since: at('05.200000001Z') }), '2\n3\n')
  })
})

describe('timeText(), normalTime()', () => {
  it('write one comparable form', () => {
    assert.equal(timeText(1_767_323_045_000_000_001n), '2026-01-02T03:04:05.000000001Z')
    assert.equal(timeText(0n), '1970-01-01T00:00:00.000000000Z')
    assert.equal(normalTime('2026-01-02T03:04:05.12Z'), '2026-01-02T03:04:05.120000000Z')
    assert.equal(normalTime('2026-01-02T04:04:05.5+01:00'), '2026-01-02T03:04:05.500000000Z')
  })
})

describe('LogOutput', () => {
  it('frames records with stream, length and prefixes', () => {
    const output = new LogOutput({ tty: false, timestamps: true, details: true })
    const text = Buffer.from('hello')
    output.add(false, text, 0, 5, true, TIME, { b: '1 2', a: 'x=y' })
    const bytes = Buffer.concat([...output.drain()])
    const payload = `${TIME} a=x%3Dy,b=1+2 hello\n`
    assert.deepEqual([...bytes.subarray(0, 8)], [2, 0, 0, 0, 0, 0, 0, payload.length])
    assert.equal(bytes.subarray(8).toString(), payload)
  })

  it('keeps chunks that it handed over untouched', () => {
    const output = new LogOutput({ tty: true, timestamps: false, details: false })
    const chunks: Uint8Array[] = []
    const expected: string[] = []
    for (let i = 0; i < 50; i++) {
      const text = Buffer.alloc(i * 400, 97 + (i % 26))
      output.add(true, text, 0, text.length, true, undefined, undefined)
      expected.push(`${text.toString()}\n`)
      if (i % 3 === 0) chunks.push(...output.drain())
    }
    chunks.push(...output.drain())
    assert.equal(Buffer.concat(chunks).toString(), expected.join(''))
  })
})
