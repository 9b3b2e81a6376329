import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LastLines } from './last-lines.ts'
import { stepHistory, type StepMessage } from './step-messages.ts'

function output(text: string): StepMessage {
  return { type: 'output', stream: 1, data: Buffer.from(text), at: '2026-01-02T03:04:05.000Z' }
}

describe('stepHistory()', () => {
  it('has what happened, and then the output', () => {
    const history = stepHistory()
    const messages: StepMessage[] = [
      { type: 'miss', gone: false },
      { type: 'begin', at: '2026-01-02T03:04:05.000Z' },
      output('a'),
      output('b'),
    ]
    for (const message of messages) history.add(message)
    assert.deepEqual([...history], messages)
  })

  it('keeps the end of very much output', () => {
    const history = stepHistory()
    history.add({ type: 'miss', gone: true })
    for (let i = 0; i < 100; i++) history.add(output(String(i).padStart(64 * 1024)))
    const [miss, ...rest] = [...history]
    assert.deepEqual(miss, { type: 'miss', gone: true })
    assert.equal(rest.length, 4)
    assert.deepEqual(rest.at(-1), output('99'.padStart(64 * 1024)))
    history.add(output('x'.repeat(1 << 20)))
    assert.equal([...history].length, 2)
  })
})

describe('LastLines', () => {
  it('has the last twenty lines, cut anywhere', () => {
    const lines = new LastLines()
    const text = Array.from({ length: 100 }, (_, i) => `line ${i}\r\n`).join('')
    for (const character of text) lines.add(Buffer.from(character))
    assert.equal(String(lines), Array.from({ length: 20 }, (_, i) => `line ${i + 80}`).join('\n'))
  })

  it('has no more than so many bytes of one line', () => {
    const lines = new LastLines()
    for (let i = 0; i < 10; i++) lines.add(Buffer.alloc(10_000, 97))
    assert.equal(String(lines).length, 16 * 1024)
    assert.equal(String(new LastLines()), '')
  })
})
