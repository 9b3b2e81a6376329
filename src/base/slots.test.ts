import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Slots } from './slots.ts'

describe('Slots', () => {
  it('are given in the order of asking, and not to who has left', async () => {
    const slots = new Slots(1)
    const order: string[] = []
    const held = await slots.acquire()
    const abort = new AbortController()
    const gone = assert.rejects(slots.acquire({ signal: abort.signal }), /left/)
    const take = async (name: string): Promise<void> => {
      using _slot = await slots.acquire()
      order.push(name)
    }
    const both = [take('one'), take('two')]
    abort.abort(new Error('left'))
    await gone
    held[Symbol.dispose]()
    held[Symbol.dispose]()
    await Promise.all(both)
    assert.deepEqual(order, ['one', 'two'])
    assert.equal(slots.available, true)
  })
})
