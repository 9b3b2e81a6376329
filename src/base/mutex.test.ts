import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KeyedMutex } from './mutex.ts'

describe('KeyedMutex', () => {
  it('lets in one after the other, in order, and passes over who has left', async () => {
    const mutex = new KeyedMutex()
    const order: string[] = []
    const held = await mutex.acquire('a')
    const leaving = new AbortController()
    const gone = assert.rejects(mutex.acquire('a', { signal: leaving.signal }), /left/)
    const enter = async (name: string): Promise<void> => {
      using _lock = await mutex.acquire('a')
      order.push(name)
    }
    const both = [enter('one'), enter('two')]
    leaving.abort(new Error('left'))
    await gone
    assert.deepEqual(order, [])
    held[Symbol.dispose]()
    held[Symbol.dispose]()
    await Promise.all(both)
    assert.deepEqual(order, ['one', 'two'])
  })

  it('keeps keys apart, and can be had again', async () => {
    const mutex = new KeyedMutex()
    using _a = await mutex.acquire('a')
    const b = await mutex.acquire('b')
    b[Symbol.dispose]()
    using _again = await mutex.acquire('b')
  })
})
