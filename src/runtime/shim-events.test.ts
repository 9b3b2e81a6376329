import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseExitRecord, parseShimEvent } from './shim-events.ts'

describe('parseShimEvent()', () => {
  it('knows every event of the protocol', () => {
    const at = new Date('2026-01-02T03:04:05.678Z')
    for (const [line, event] of [
      ['ready', { type: 'ready' }],
      ['oom', { type: 'oom' }],
      ['error overlay on /x: no space', { type: 'error', message: 'overlay on /x: no space' }],
      ['failed  spaced  out', { type: 'failed', message: ' spaced  out' }],
      ['started 12 345 1767323045.678999999', { type: 'started', pid: 12, startTime: '345', at }],
      ['exec-started e1 13', { type: 'exec-started', exec: 'e1', pid: 13 }],
      ['exec-failed e1 not found', { type: 'exec-failed', exec: 'e1', message: 'not found' }],
      ['exec-exit e1 143', { type: 'exec-exit', exec: 'e1', code: 143 }],
      ['exit 137 1 1767323045.678000000', { type: 'exit', code: 137, oomKilled: true, at }],
      ['from-the-future 1', undefined],
      ['', undefined],
    ] as const) {
      assert.deepEqual(parseShimEvent(line), event, line)
    }
  })
})

describe('parseExitRecord()', () => {
  it('reads what the shim writes', () => {
    const codes = fc.integer({ min: 0, max: 255 })
    const seconds = fc.integer({ min: 0, max: 4_000_000_000 })
    fc.assert(
      fc.property(
        codes,
        fc.boolean(),
        seconds,
        fc.integer({ min: 0, max: 999 }),
        (code, oomKilled, s, ms) => {
          const text = `${code} ${oomKilled ? 1 : 0} ${s}.${String(ms).padStart(3, '0')}000999\n`
          assert.deepEqual(parseExitRecord(text), {
            type: 'exit',
            code,
            oomKilled,
            at: new Date(s * 1000 + ms),
          })
        },
      ),
    )
  })

  it('takes nothing that is torn or foreign', () => {
    for (const text of ['', '0', '0 0', '0 0 17', '0 2 17.000000000\n', 'x 0 1.000000000\n', '0 0 1.0\n']) {
      assert.equal(parseExitRecord(text), undefined, text)
    }
  })
})
