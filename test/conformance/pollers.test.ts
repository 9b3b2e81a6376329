/**
 * What watchers in the manner of ctop and lazydocker do: one stream of events, the list again after each of them, an
 * endless stream of stats for each container that runs, and figures computed from two samples as Docker's client does.
 */
import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import { readdirSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { EngineApi } from '#test/support/engine-api.ts'

const BUSY = ['sh', '-c', 'while :; do :; done']

interface Sample {
  readonly name: string
  readonly cpu_stats: {
    readonly cpu_usage: { readonly total_usage: number }
    readonly system_cpu_usage?: number
    readonly online_cpus?: number
  }
  readonly precpu_stats: Sample['cpu_stats']
  readonly memory_stats: {
    readonly usage?: number
    readonly limit?: number
    readonly stats?: Readonly<Record<string, number>>
  }
  readonly networks?: Readonly<Record<string, { readonly rx_bytes: number }>>
}

interface Figures {
  readonly cpu: number
  readonly memory: number
}

/** Percent of one processor, and bytes without the cache. */
function figuresOf({ cpu_stats: now, precpu_stats: then, memory_stats: memory }: Sample): Figures {
  const used = now.cpu_usage.total_usage - then.cpu_usage.total_usage
  const passed = (now.system_cpu_usage ?? 0) - (then.system_cpu_usage ?? 0)
  const cache = memory.stats?.['total_inactive_file'] ?? memory.stats?.['inactive_file'] ?? 0
  return {
    cpu: passed > 0 ? (used / passed) * (now.online_cpus ?? 0) * 100 : 0,
    memory: (memory.usage ?? 0) - cache,
  }
}

/** Keeps what it has last seen of every container that runs. */
class Watcher implements AsyncDisposable {
  readonly figures = new Map<string, Figures>()
  readonly actions: string[] = []
  readonly #api: EngineApi
  readonly #streams = new Map<string, IncomingMessage>()
  #events: IncomingMessage | undefined
  #updating: Promise<void> = Promise.resolve()

  constructor(api: EngineApi) {
    this.#api = api
  }

  async start(): Promise<void> {
    this.#events = await this.#api.daemon.open('GET', '/events?filters={"type":["container"]}')
    createInterface({ input: this.#events }).on('line', (line) => this.#hear(line))
    await this.#update()
  }

  get streams(): number {
    return this.#streams.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#events?.destroy()
    await this.#updating
    for (const stream of this.#streams.values()) stream.destroy()
  }

  #hear(line: string): void {
    this.actions.push((JSON.parse(line) as { Action: string }).Action)
    this.#updating = this.#updating.then(() => this.#update())
  }

  async #update(): Promise<void> {
    const list = (await this.#api.call('GET', '/containers/json')).json<{ Id: string }[]>()
    for (const { Id } of list) if (!this.#streams.has(Id)) await this.#measure(Id)
  }

  async #measure(id: string): Promise<void> {
    const stream = await this.#api.daemon.open('GET', `/containers/${id}/stats`)
    if (stream.statusCode !== 200) return void stream.resume()
    this.#streams.set(id, stream)
    // Given up by ourselves.
    stream.on('error', () => undefined)
    const lines = createInterface({ input: stream })
    lines.on('line', (line) => this.figures.set(id, figuresOf(JSON.parse(line) as Sample)))
    lines.once('close', () => this.#streams.delete(id))
  }
}

describe('watchers of events and stats', () => {
  let api: EngineApi
  before(async () => {
    api = await EngineApi.start()
  })
  after(() => api[Symbol.asyncDispose]())

  it('see what containers use, and that they have gone', async () => {
    await using watcher = new Watcher(api)
    await watcher.start()
    const busy = await api.started({ Cmd: BUSY, HostConfig: { NanoCpus: 200_000_000 } }, 'busy')
    const idle = await api.started({ Cmd: ['sleep', '1000'] }, 'idle')
    const of = (id: string): Figures => watcher.figures.get(id) ?? { cpu: 0, memory: 0 }
    await api.until('figures of both', async () => of(busy).cpu > 2 && of(idle).memory > 0)
    assert.ok(of(busy).cpu < 60, `busy uses ${of(busy).cpu} % of a fifth`)
    assert.ok(of(idle).cpu < of(busy).cpu)
    await api.remove(busy)
    await api.remove(idle)
    await api.until('the end of their stats', async () => watcher.streams === 0)
    const destroyed = (): number => watcher.actions.filter((action) => action === 'destroy').length
    await api.until('both removals', async () => destroyed() === 2)
  })

  it('leave nothing open when they go, however many come', async () => {
    const id = await api.started({ Cmd: ['sleep', '1000'] })
    const openFiles = (): number => readdirSync(`/proc/${api.daemon.pid}/fd`).length
    await using first = new Watcher(api)
    await first.start()
    await api.until('a sample', async () => first.figures.has(id))
    const before = openFiles()
    for (let round = 0; round < 5; round++) {
      const many = Array.from({ length: 10 }, () => new Watcher(api))
      await Promise.all(many.map((watcher) => watcher.start()))
      await Promise.all(many.map((watcher) => watcher[Symbol.asyncDispose]()))
    }
    await api.until('as few open files as before', async () => openFiles() <= before)
    await api.remove(id)
  })
})
