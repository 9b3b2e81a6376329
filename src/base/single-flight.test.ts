import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SingleFlight } from './single-flight.ts'

describe('SingleFlight', () => {
  it('does the work once for all who ask while it runs, and again afterwards', async () => {
    const flights = new SingleFlight<number>()
    let times = 0
    const work = async (): Promise<number> => ++times
    assert.deepEqual(await Promise.all([flights.do('a', work), flights.do('a', work)]), [1, 1])
    assert.equal(await flights.do('a', work), 2)
  })

  it('goes on when one who waits leaves, and tells all of its failure', async () => {
    const flights = new SingleFlight<never>()
    const { promise, reject } = Promise.withResolvers<never>()
    const leaving = new AbortController()
    const gone = assert.rejects(
      flights.do('a', () => promise, leaving.signal),
      /left/,
    )
    const stays = assert.rejects(
      flights.do('a', () => assert.fail('twice')),
      /broken/,
    )
    leaving.abort(new Error('left'))
    await gone
    reject(new Error('broken'))
    await stays
    await flights.idle()
  })
})
