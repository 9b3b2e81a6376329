import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { every } from './schedule.ts'

describe('every()', () => {
  it('waits between runs, survives a failure, and ends with its signal', async () => {
    const clock = new FakeClock()
    const over = new AbortController()
    const start = clock.now().getTime()
    const runs: number[] = []
    const work = (): Promise<void> => {
      runs.push(clock.now().getTime() - start)
      return runs.length === 1 ? Promise.reject(new Error('once')) : Promise.resolve()
    }
    const deps = { name: 'work', clock, logger: silentLogger }
    const done = every({ interval: 1000, first: 100 }, work, deps, over.signal)
    for (let i = 0; i < 21; i++) await clock.advance(100)
    over.abort()
    await done
    assert.deepEqual(runs, [100, 1100, 2100])
  })

  it('does nothing for no interval', async () => {
    const deps = { name: 'work', clock: new FakeClock(), logger: silentLogger }
    await every({ interval: 0 }, () => assert.fail(), deps, new AbortController().signal)
  })
})
