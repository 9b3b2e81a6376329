import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { reporting, reportingBytes } from './progress.ts'

describe('reporting()', () => {
  it('yields everything that is reported, in order', async () => {
    const messages = reporting(async (report) => {
      report({ stream: 'a' })
      await Promise.resolve()
      report({ stream: 'b' })
      report({ stream: 'c' })
    })
    assert.deepEqual(
      (await Array.fromAsync(messages)).map(({ stream }) => stream),
      ['a', 'b', 'c'],
    )
  })

  it('keeps only the last of what nobody has read', async () => {
    const messages = reporting(async (report) => {
      for (const current of [1, 2, 3]) report({ id: 'x', progressDetail: { current } })
      report({ id: 'x', status: 'done' })
    })
    assert.deepEqual(await Array.fromAsync(messages), [
      { id: 'x', progressDetail: { current: 3 } },
      { id: 'x', status: 'done' },
    ])
  })

  it('fails after the last message', async () => {
    const seen: unknown[] = []
    await assert.rejects(async () => {
      const messages = reporting(async (report) => {
        report({ stream: 'a' })
        throw new Error('no')
      })
      for await (const message of messages) seen.push(message)
    }, /no/)
    assert.deepEqual(seen, [{ stream: 'a' }])
  })

  it('waits for the work after the reader has gone', async () => {
    let cleaned = false
    const messages = reporting(async (report, signal) => {
      report({ stream: 'a' })
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      await Promise.resolve()
      cleaned = true
    })
    for await (const _ of messages) break
    assert.equal(cleaned, true)
  })
})

describe('reportingBytes()', () => {
  it('passes all on and reports the end', async () => {
    const reported: number[] = []
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 10; n++) yield new Uint8Array(1 << 17)
    }
    const chunks = await Array.fromAsync(reportingBytes(source(), (n) => reported.push(n), 10 << 17))
    assert.equal(chunks.length, 10)
    assert.deepEqual(
      reported,
      [2, 4, 6, 8, 10].map((n) => n << 17),
    )
  })
})
