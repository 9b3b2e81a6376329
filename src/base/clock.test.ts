import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { settlesWithin, systemClock } from './clock.ts'
import { FakeClock } from './fake-clock.ts'

describe('sleep()', () => {
  for (const [name, clock] of [
    ['the system', systemClock],
    ['the fake', new FakeClock()],
  ] as const) {
    it(`of ${name} clock ends with the reason of the signal`, async () => {
      const stop = new AbortController()
      const sleeping = clock.sleep(60_000, { signal: stop.signal })
      stop.abort(new Error('the registry is gone'))
      await assert.rejects(sleeping, /the registry is gone/)
    })
  }
})

describe('settlesWithin()', () => {
  it('is true for work that ends in time, and leaves no timer behind', async () => {
    const clock = new FakeClock()
    const { promise, resolve } = Promise.withResolvers<void>()
    const result = settlesWithin(clock, 1000, promise)
    await clock.advance(999)
    resolve()
    assert.equal(await result, true)
    assert.deepEqual(clock.sleeping, [])
  })

  it('is false when time is over', async () => {
    const clock = new FakeClock()
    const result = settlesWithin(clock, 1000, Promise.withResolvers<void>().promise)
    await clock.advance(1000)
    assert.equal(await result, false)
  })

  it('is false at once for no time at all, unless the work has ended', async () => {
    assert.equal(await settlesWithin(systemClock, 0, Promise.withResolvers<void>().promise), false)
    assert.equal(await settlesWithin(systemClock, 0, Promise.resolve()), true)
  })

  it('waits for ever when the time is negative', async () => {
    const clock = new FakeClock()
    const { promise, resolve } = Promise.withResolvers<void>()
    const result = settlesWithin(clock, -1, promise)
    await clock.advance(1e9)
    resolve()
    assert.equal(await result, true)
  })

  it('rejects as the work does', async () => {
    await assert.rejects(settlesWithin(systemClock, 1000, Promise.reject(new Error('broken'))), /broken/)
  })
})

describe('FakeClock.advance()', () => {
  it('wakes sleepers in the order of their times, and those they start', async () => {
    const clock = new FakeClock(new Date(0))
    const woken: number[] = []
    const sleep = async (ms: number): Promise<void> => {
      await clock.sleep(ms)
      woken.push(clock.now().getTime())
    }
    const all = Promise.all([sleep(30), sleep(10), sleep(5).then(() => sleep(10))])
    await clock.advance(30)
    await all
    assert.deepEqual(woken, [5, 10, 15, 30])
  })

  it('rejects a sleeper whose signal is aborted', async () => {
    const clock = new FakeClock()
    const stop = new AbortController()
    const sleeping = clock.sleep(1000, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await assert.rejects(sleeping, /enough/)
    assert.deepEqual(clock.sleeping, [])
  })
})
