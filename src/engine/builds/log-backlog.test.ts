import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LogBacklog } from './log-backlog.ts'
import type { BuildMessage } from './service.ts'

const vertex = `sha256:${'1'.repeat(64)}` as const
const at = '2026-01-02T03:04:05Z'
const log = (text: string): BuildMessage => ({ type: 'log', vertex, stream: 1, data: Buffer.from(text), at })
const ended: BuildMessage = { type: 'vertex', id: vertex, name: 'x', inputs: [], completed: at }

/** A client that takes messages when it is told to. */
class Reader {
  readonly backlog = new LogBacklog(100)
  readonly queue: BuildMessage[] = []
  readonly put = (message: BuildMessage): void => this.backlog.put(message, (each) => this.queue.push(each))

  /** Takes all that waits: what the steps have said. */
  async read(): Promise<string> {
    const messages = this.queue.splice(0)
    const taken = this.backlog.drain(
      (async function* () {
        yield* messages
      })(),
    )
    const texts: string[] = []
    for await (const message of taken) {
      texts.push(message.type === 'log' ? Buffer.from(message.data).toString() : `<${message.type}>`)
    }
    return texts.join('')
  }
}

describe('LogBacklog', () => {
  it('leaves nothing out for a client that reads', async () => {
    const reader = new Reader()
    for (let i = 0; i < 50; i++) {
      reader.put(log('x'.repeat(40)))
      assert.equal(await reader.read(), 'x'.repeat(40))
    }
  })

  it('leaves output out while nobody reads, and says how much', async () => {
    const reader = new Reader()
    for (let i = 0; i < 1000; i++) reader.put(log('0123456789'))
    assert.equal(reader.queue.length, 10)
    assert.equal((await reader.read()).length, 100)
    reader.put(log('later\n'))
    assert.equal(
      await reader.read(),
      '\n[9900 bytes of output are left out: they were not read in time]\nlater\n',
    )
    reader.put(ended)
    assert.equal(await reader.read(), '<vertex>')
  })

  it('says so before the end of a step at the latest', async () => {
    const reader = new Reader()
    for (let i = 0; i < 11; i++) reader.put(log('0123456789'))
    reader.put(ended)
    assert.match(await reader.read(), /\[10 bytes of output are left out.*\]\n<vertex>$/)
  })

  it('lets everything else pass', async () => {
    const reader = new Reader()
    for (let i = 0; i < 20; i++) reader.put(log('0123456789'))
    reader.put({ type: 'status', vertex, id: 'a', current: 1 })
    assert.match(await reader.read(), /<status>$/)
  })
})
