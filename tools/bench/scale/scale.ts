/**
 * `make scale`: an engine with many containers under clients that poll. Prints how long each question takes, how long the
 * engine's event loop was held up, and what its memory did.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { PrivateEngine } from '../../private-engine.ts'
import { output } from '../../run-program.ts'

const REPOSITORY = join(import.meta.dirname, '../../..')
const IMAGES = join(REPOSITORY, '.cache/images')
const IMAGE = 'berth-scale'
const WIDTH = 8
const MEBIBYTE = 1024 * 1024

const { values } = parseArgs({
  options: {
    stopped: { type: 'string', default: '1000' },
    running: { type: 'string', default: '200' },
    /** Of polling; the goal of the project is an hour. */
    minutes: { type: 'string', default: '2' },
    clients: { type: 'string', default: '10' },
  },
})

interface Loop {
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly rss: number
  readonly heapUsed: number
}

/** Questions that dashboards ask, with what is asked about. */
const questions: readonly (readonly [name: string, path: (id: string) => string])[] = [
  ['ps', () => '/containers/json'],
  ['ps -a', () => '/containers/json?all=1'],
  [
    'ps -a, filtered by label',
    () => `/containers/json?all=1&filters=${encodeURIComponent('{"label":["n=7"]}')}`,
  ],
  ['inspect', (id) => `/containers/${id}/json`],
  ['stats, one shot', (id) => `/containers/${id}/stats?stream=0&one-shot=1`],
  ['top', (id) => `/containers/${id}/top`],
  ['logs --tail 10', (id) => `/containers/${id}/logs?stdout=1&tail=10`],
  [
    'events of the last minute',
    () => `/events?since=${Math.floor(Date.now() / 1000) - 60}&until=${Date.now() / 1000}`,
  ],
  ['info', () => '/info'],
  ['networks', () => '/networks/bridge'],
]

async function main(): Promise<void> {
  await output([join(REPOSITORY, 'tools/make-images'), IMAGES])
  const file = join(IMAGES, `loop-${process.pid}.json`)
  process.env['LOOP_DELAY_FILE'] = file
  process.env['NODE_OPTIONS'] = `--import ${join(import.meta.dirname, 'loop-delay.ts')}`
  await using engine = await PrivateEngine.start('scale')
  const api = new Api(engine.root)
  try {
    await engine.berth('import', join(IMAGES, 'busybox.tar'), IMAGE)
    const running = await populate(api)
    const before = await loopOf(engine, file)
    console.log(`Alone, each question 50 times (ms):`)
    await alone(api, running)
    const diskUsage = await timed(() => api.get('/system/df'))
    console.log(row('system df', [diskUsage]))
    console.log(`Event loop meanwhile: ${describe(await loopOf(engine, file))}`)
    await polled(api, engine, file, running)
    console.log(`Memory before: ${(before.rss / MEBIBYTE).toFixed(0)} MB resident.`)
  } finally {
    api.close()
    rmSync(file, { force: true })
  }
}

/** @returns ids of those that run */
async function populate(api: Api): Promise<readonly string[]> {
  const [stopped, running] = [Number(values.stopped), Number(values.running)]
  const started = performance.now()
  await each(stopped, async (n) => {
    const id = await api.create(n, ['true'])
    await api.post(`/containers/${id}/start`)
  })
  const ids: string[] = []
  await each(running, async (n) => {
    const id = await api.create(stopped + n, ['sleep', '100000'])
    await api.post(`/containers/${id}/start`)
    ids.push(id)
  })
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  console.log(`${stopped} containers that have ended and ${running} that run, made in ${seconds} s.`)
  return ids
}

async function each(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: WIDTH }, worker))
}

async function alone(api: Api, ids: readonly string[]): Promise<void> {
  for (const [name, path] of questions) {
    const times: number[] = []
    for (let i = 0; i < 50; i++) times.push(await timed(() => api.get(path(ids[i % ids.length] ?? ''))))
    console.log(row(name, times))
  }
}

/** Clients that ask everything, one after the other, with half a second between; and some that follow. */
async function polled(api: Api, engine: PrivateEngine, file: string, ids: readonly string[]): Promise<void> {
  const [minutes, clients] = [Number(values.minutes), Number(values.clients)]
  const end = performance.now() + minutes * 60_000
  const followers = [...ids.slice(0, 20).map((id) => `/containers/${id}/stats`), '/events', '/events']
  const streams = await Promise.all(followers.map((path) => api.open(path)))
  for (const stream of streams) stream.resume()
  const times = new Map<string, number[]>(questions.map(([name]) => [name, []]))
  const client = async (first: number): Promise<void> => {
    for (let i = first; performance.now() < end; i++) {
      const [name, path] = questions[i % questions.length] ?? ['', () => '/_ping']
      times.get(name)?.push(await timed(() => api.get(path(ids[i % ids.length] ?? ''))))
      await delay(50)
    }
  }
  const watching = (async () => {
    for (let minute = 1; performance.now() < end; minute++) {
      await delay(Math.min(60_000, Math.max(0, end - performance.now())))
      console.log(`After minute ${minute}: ${describe(await loopOf(engine, file))}`)
    }
  })()
  await Promise.all([watching, ...Array.from({ length: clients }, (_, n) => client(n))])
  for (const stream of streams) stream.destroy()
  console.log(`Under ${clients} clients and ${followers.length} followers for ${minutes} min (ms):`)
  for (const [name, taken] of times) console.log(row(name, taken))
}

class Api {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })

  constructor(root: string) {
    this.#socketPath = join(root, 'sock')
  }

  close(): void {
    this.#agent.destroy()
  }

  async create(n: number, Cmd: readonly string[]): Promise<string> {
    const body = { Image: IMAGE, Cmd, Labels: { n: String(n) } }
    return (JSON.parse(await this.post(`/containers/create?name=scale-${n}`, body)) as { Id: string }).Id
  }

  async get(path: string): Promise<string> {
    return textOf(await this.#send('GET', path, this.#agent))
  }

  async post(path: string, body?: object): Promise<string> {
    return textOf(await this.#send('POST', path, this.#agent, body))
  }

  async open(path: string): Promise<IncomingMessage> {
    return this.#send('GET', path, undefined)
  }

  async #send(
    method: string,
    path: string,
    agent: Agent | undefined,
    body?: object,
  ): Promise<IncomingMessage> {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' }
    const outgoing = request({ socketPath: this.#socketPath, method, path, headers, agent: agent ?? false })
    outgoing.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    if ((response.statusCode ?? 500) >= 400) throw new Error(`${method} ${path}: ${await textOf(response)}`)
    return response
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  return (await Array.fromAsync(response.setEncoding('utf8'))).join('')
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** Asks the engine itself; see loop-delay.ts. */
async function loopOf(engine: PrivateEngine, file: string): Promise<Loop> {
  rmSync(file, { force: true })
  process.kill(engine.pid, 'SIGUSR2')
  while (!existsSync(file)) await delay(10)
  return JSON.parse(readFileSync(file, 'utf8')) as Loop
}

function describe({ p50, p99, max, rss, heapUsed }: Loop): string {
  const delays = `held up ${p50.toFixed(1)} ms (median), ${p99.toFixed(1)} ms (p99), ${max.toFixed(0)} ms (most)`
  return `${delays}; ${(rss / MEBIBYTE).toFixed(0)} MB resident, ${(heapUsed / MEBIBYTE).toFixed(0)} MB heap`
}

function row(name: string, times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): string =>
    (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1).padStart(8)
  return `  ${name.padEnd(28)} median ${at(0.5)}   p99 ${at(0.99)}   most ${at(1)}`
}

await main()
