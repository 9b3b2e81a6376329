import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ForwardedRecord } from './destination.ts'
import { logEntry } from './log-entry.ts'
import { type SyslogSender, syslogFacility, syslogFormat, syslogMessage } from './syslog-format.ts'

const record: ForwardedRecord = {
  stdout: false,
  text: Buffer.from('hello'),
  partial: false,
  time: '2026-01-02T03:04:05.123456789Z',
}
const sender: SyslogSender = {
  format: '',
  facility: 3,
  hostname: 'host',
  tag: 'web',
  pid: 7,
  local: false,
}

describe('syslogMessage()', () => {
  it('has the form that was asked for', () => {
    const message = (change: Partial<SyslogSender>, stdout = false): string =>
      syslogMessage({ ...sender, ...change }, { ...record, stdout }).toString()
    assert.equal(message({}), '<27>2026-01-02T03:04:05Z host web[7]: hello')
    assert.equal(message({ format: 'rfc5424' }, true), '<30>1 2026-01-02T03:04:05Z host web 7 web - hello')
    assert.equal(
      message({ format: 'rfc5424micro', facility: 16 }),
      '<131>1 2026-01-02T03:04:05.123456Z host web 7 web - hello',
    )
    assert.match(message({ local: true }), /^<27>Jan  \d \d\d:\d4:05 web\[7\]: hello$/)
    assert.match(message({ format: 'rfc3164' }), /^<27>Jan  \d \d\d:\d4:05 host web\[7\]: hello$/)
  })

  it('knows facilities by name and by number', () => {
    assert.deepEqual(['', 'kern', 'local7', '5'].map(syslogFacility), [3, 0, 23, 5])
    for (const odd of ['local8', '24', 'nobody'])
      assert.throws(() => syslogFacility(odd), /invalid syslog facility/)
    assert.throws(() => syslogFormat('rfc1'), /want rfc3164/)
  })
})

describe('logEntry()', () => {
  it('is the length and a protobuf message', () => {
    const entry = logEntry({ ...record, partial: true })
    assert.equal(entry.readUInt32BE(0), entry.length - 4)
    const nanoseconds = BigInt(Date.parse('2026-01-02T03:04:05Z')) * 1_000_000n + 123_456_789n
    const fields = entry.subarray(4)
    assert.equal(fields.toString('latin1', 0, 8), '\x0a\x06stderr')
    assert.equal(fields[8], 0x10)
    let time = 0n
    let at = 9
    for (let shift = 0n; ; shift += 7n) {
      const byte = fields[at++] ?? 0
      time |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    assert.equal(time, nanoseconds)
    assert.equal(fields.toString('latin1', at), '\x1a\x05hello\x20\x01')
    assert.equal(logEntry(record).length, entry.length - 2)
  })
})
