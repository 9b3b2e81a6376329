import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventMessage } from '#api/generated/types.ts'
import { silentLogger } from '#base/logger.ts'
import { openDatabase } from '#store/db.ts'
import { EventRows } from '#store/events.ts'
import { EventJournal } from './event-journal.ts'

const T = 1_795_000_000_000_000_000n

function world(options: { maxEvents?: number; maxAge?: number } = {}) {
  const clock = { now: T }
  const rows = new EventRows(openDatabase(':memory:', { logger: silentLogger }))
  const open = (): EventJournal => new EventJournal({ rows, now: () => clock.now, ...options })
  return { clock, rows, open, journal: open() }
}

const all = { since: undefined, until: undefined, filters: new Map<string, string[]>() }

async function take(events: AsyncIterable<EventMessage>, count: number): Promise<string[]> {
  const texts: string[] = []
  for await (const event of events) {
    texts.push(`${event.Type} ${event.Action} ${event.Actor?.ID}`)
    if (texts.length === count) break
  }
  return texts
}

describe('EventJournal', () => {
  it('delivers live events to everybody who subscribed before', async () => {
    const { journal } = world()
    journal.publish('container', 'create', 'early')
    const [a, b] = [take(journal.subscribe(all), 2), take(journal.subscribe(all), 1)]
    journal.publish('container', 'start', 'x')
    journal.publish('container', 'die', 'x')
    assert.deepEqual(await a, ['container start x', 'container die x'])
    assert.deepEqual(await b, ['container start x'])
  })

  it("gives Docker's document with exact nanoseconds", async () => {
    const { journal, clock } = world()
    clock.now = T + 123_456_789n
    journal.publish('volume', 'create', 'v', { driver: 'local' })
    const [event] = await Array.fromAsync(journal.subscribe({ ...all, until: clock.now }))
    assert.deepEqual(event, {
      Type: 'volume',
      Action: 'create',
      Actor: { ID: 'v', Attributes: { driver: 'local' } },
      scope: 'local',
      time: 1_795_000_000,
      timeNano: 1_795_000_000_123_456_789n,
    })
  })

  it('replays from a time across a restart, without gap or duplicate, then goes on live', async () => {
    const { open, journal, clock } = world()
    for (let i = 0; i < 600; i++) {
      clock.now += 1000n
      journal.publish('container', 'start', `c${i}`)
    }
    const next = open()
    const reading = take(next.subscribe({ ...all, since: T + 11_000n }), 592)
    next.publish('container', 'start', 'c600')
    next.publish('container', 'start', 'c601')
    const texts = await reading
    assert.deepEqual(
      texts,
      Array.from({ length: 592 }, (_, i) => `container start c${i + 10}`),
    )
  })

  it('ends at `until`, at once when that is past', async () => {
    const { journal, clock } = world()
    for (const id of ['a', 'b', 'c']) {
      journal.publish('container', 'start', id)
      clock.now += 1000n
    }
    const past = await take(journal.subscribe({ ...all, since: T, until: T + 1000n }), 99)
    assert.deepEqual(past, ['container start a', 'container start b'])

    const soon = take(journal.subscribe({ ...all, until: clock.now + 5_000_000n }), 99)
    clock.now += 5_000_001n
    assert.equal((await soon).length, 3)
  })

  it('ends quietly when it is cancelled', async () => {
    const { journal } = world()
    const controller = new AbortController()
    const reading = take(journal.subscribe({ ...all, signal: controller.signal }), 99)
    journal.publish('container', 'start', 'a')
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort()
    assert.deepEqual(await reading, ['container start a'])
  })

  it('tells a reader how much it missed when the journal was trimmed past it', async () => {
    const { journal } = world({ maxEvents: 500 })
    const slow = journal.subscribe({ ...all, since: T })[Symbol.asyncIterator]()
    for (let i = 1; i <= 4000; i++) journal.publish('container', 'start', `c${i}`)
    const first = (await slow.next()).value as EventMessage
    assert.deepEqual([first.Action, first.Actor?.Attributes], ['events_lost', { count: '3500' }])
    const second = (await slow.next()).value as EventMessage
    assert.equal(second.Actor?.ID, 'c3501')
    await slow.return?.()
  })

  it('forgets by age too, but never the last event, so that numbers go on', () => {
    const { journal, clock, rows, open } = world({ maxAge: 1 })
    for (let i = 1; i <= 999; i++) journal.publish('container', 'start', `c${i}`)
    clock.now += 1_000_000_000n
    journal.publish('container', 'start', 'c1000')
    assert.deepEqual(
      rows.after(0, 10).map(({ sequence }) => sequence),
      [1000],
    )
    open().publish('container', 'start', 'c1001')
    assert.equal(rows.last()?.sequence, 1001)
  })

  it('still delivers what cannot be written, and shows the gap later', async () => {
    const { journal, rows } = world()
    const live = take(journal.subscribe(all), 3)
    journal.publish('container', 'start', 'a')
    const append = rows.append.bind(rows)
    rows.append = () => {
      throw new Error('disk full')
    }
    journal.publish('container', 'start', 'b')
    rows.append = append
    journal.publish('container', 'start', 'c')
    assert.deepEqual(await live, ['container start a', 'container start b', 'container start c'])
    assert.deepEqual(
      rows.after(0, 9).map(({ sequence }) => sequence),
      [1, 3],
    )
  })

  it('keeps the order of times when the clock steps back a little, and follows it when far', () => {
    const { journal, clock, rows } = world()
    journal.publish('container', 'start', 'a')
    clock.now -= 5n
    journal.publish('container', 'start', 'b')
    assert.equal(rows.last()?.time, T + 1n)
    clock.now -= 3_600_000_000_000n
    journal.publish('container', 'start', 'c')
    assert.equal(rows.last()?.time, clock.now)
  })
})
