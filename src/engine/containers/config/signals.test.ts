import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseSignal, stopSignalOf } from './signals.ts'

describe('parseSignal()', () => {
  for (const [text, number] of [
    ['SIGTERM', 15],
    ['term', 15],
    ['sigkill', 9],
    ['9', 9],
    ['HUP', 1],
    ['SIGUSR1', 10],
    ['SIGSTKFLT', 16],
    ['CLD', 17],
    ['SIGRTMIN', 34],
    ['RTMIN+3', 37],
    ['SIGRTMIN+15', 49],
    ['SIGRTMAX-14', 50],
    ['RTMAX', 64],
    ['64', 64],
  ] as const) {
    it(`reads ${text} as ${number}`, () => assert.equal(parseSignal(text), number))
  }

  for (const text of [
    '',
    '0',
    '65',
    '-9',
    'SIG',
    'FOO',
    'RTMIN-1',
    'RTMAX+1',
    'RTMIN+31',
    'toString',
    ' 9',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseSignal(text), { message: `invalid signal: ${text}` })
    })
  }
})

describe('stopSignalOf()', () => {
  it('is SIGTERM unless the container names one', () => {
    assert.deepEqual([undefined, null, '', 'SIGINT'].map(stopSignalOf), [15, 15, 15, 2])
  })
})
