import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type FlightControl, Flights, lastOfEach } from './flights.ts'

function passenger(context: string) {
  const abort = new AbortController()
  const heard: string[] = []
  return {
    abort,
    heard,
    context,
    signal: abort.signal,
    report: (message: string) => void heard.push(message),
  }
}

const flights = () =>
  new Flights<string, string, string>(() => lastOfEach((message) => /^\w+ /.exec(message)?.[0]))

describe('Flights', () => {
  it('tells who comes later what has been, the last of each kind', async () => {
    const { promise: gate, resolve } = Promise.withResolvers<void>()
    const [first, second] = [passenger('first'), passenger('second')]
    const shared = flights()
    const work = async (control: FlightControl<string, string>): Promise<string> => {
      for (const message of ['a 1', 'b 1', 'a 2']) control.report(message)
      await gate
      control.report('b 2')
      return 'done'
    }
    const one = shared.join('key', first, work)
    const two = shared.join('key', second, () => assert.fail('twice'))
    resolve()

    assert.deepEqual(await Promise.all([one, two]), ['done', 'done'])
    assert.deepEqual(first.heard, ['a 1', 'b 1', 'a 2', 'b 2'])
    assert.deepEqual(second.heard, ['a 2', 'b 1', 'b 2'])
  })

  it('ends with the last one, who waits until it has ended; the next one begins anew', async () => {
    const [first, second, third] = [passenger('first'), passenger('second'), passenger('third')]
    const shared = flights()
    const seen: string[] = []
    const aborted = Promise.withResolvers<void>()
    const work = async (control: FlightControl<string, string>): Promise<string> => {
      control.signal.addEventListener('abort', () => aborted.resolve())
      await aborted.promise
      await turn()
      seen.push('ended')
      throw control.signal.reason
    }
    const one = assert.rejects(shared.join('key', first, work), /gone 1/)
    const two = assert.rejects(shared.join('key', second, work), /gone 2/)
    first.abort.abort(new Error('gone 1'))
    await one
    assert.deepEqual(seen, [])
    second.abort.abort(new Error('gone 2'))
    await aborted.promise
    const three = shared.join('key', third, async () => `again after ${seen.length}`)
    await two
    assert.equal(await three, 'again after 1')
  })
})
