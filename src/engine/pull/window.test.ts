import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Window } from './window.ts'

/** Whether it is settled after all that can happen now has happened. */
async function admitted(share: Promise<unknown>): Promise<boolean> {
  let done = false
  void share.then(
    () => (done = true),
    () => undefined,
  )
  await new Promise((resolve) => setImmediate(resolve))
  return done
}

describe('Window', () => {
  it('lets in what fits, and the next one as bytes arrive', async () => {
    const window = new Window(10)
    const first = await window.share(6)
    await window.share(4)
    const third = window.share(3)
    assert.equal(await admitted(third), false)
    first.arrived(2)
    assert.equal(await admitted(third), false)
    first.arrived(1)
    assert.equal(await admitted(third), true)
  })

  it('keeps the order: a small one behind a large one waits', async () => {
    const window = new Window(10)
    const first = await window.share(8)
    const large = window.share(9)
    const small = window.share(1)
    assert.equal(await admitted(small), false)
    first[Symbol.dispose]()
    assert.deepEqual([await admitted(large), await admitted(small)], [true, true])
  })

  it('gives back what did not arrive, once', async () => {
    const window = new Window(10)
    const first = await window.share(10)
    first.arrived(4)
    first.arrived(100)
    first[Symbol.dispose]()
    await window.share(10)
    assert.equal(await admitted(window.share(1)), false)
  })

  it('lets in what is larger than the window when it is alone', async () => {
    const window = new Window(10)
    using first = await window.share(1)
    const larger = window.share(25)
    assert.equal(await admitted(larger), false)
    first.arrived(1)
    assert.equal(await admitted(larger), true)
  })

  it('forgets who is not waiting any more, and lets in who stood behind', async () => {
    const window = new Window(10)
    await window.share(5)
    const stop = new AbortController()
    const large = window.share(9, { signal: stop.signal })
    const small = window.share(5)
    assert.equal(await admitted(small), false)
    stop.abort(new Error('no more'))
    await assert.rejects(large, /no more/)
    assert.equal(await admitted(small), true)
    await assert.rejects(window.share(1, { signal: stop.signal }), /no more/)
  })
})
