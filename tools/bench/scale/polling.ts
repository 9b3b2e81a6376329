/** What dashboards do: ask everything again and again, and follow statistics and events. */
import { setTimeout as delay } from 'node:timers/promises'
import type { EngineApi } from './engine-api.ts'

export const CLIENTS = 10
const FOLLOWED = 20
const PAUSE_MS = 50

/** A question, and what is asked when it is about the container `id`. */
export interface Question {
  readonly name: string
  path(id: string): string
}

export const questions = [
  { name: '`ps`', path: () => '/containers/json' },
  { name: '`ps -a`', path: () => '/containers/json?all=1' },
  {
    name: '`ps -a` of one label',
    path: () => `/containers/json?all=1&filters=${encodeURIComponent('{"label":["n=7"]}')}`,
  },
  { name: '`inspect`', path: (id) => `/containers/${id}/json` },
  { name: '`stats`, one reading', path: (id) => `/containers/${id}/stats?stream=0&one-shot=1` },
  { name: '`top`', path: (id) => `/containers/${id}/top` },
  { name: '`logs --tail 10`', path: (id) => `/containers/${id}/logs?stdout=1&tail=10` },
  {
    name: '`events` of the last minute',
    path: () => `/events?since=${Math.floor(Date.now() / 1000) - 60}&until=${Date.now() / 1000}`,
  },
  { name: '`info`', path: () => '/info' },
] as const satisfies readonly Question[]

export async function timeOf(work: Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work
  return performance.now() - started
}

/** Returns how long each answer took, in milliseconds, by the name of its question. */
export async function poll(
  api: EngineApi,
  ids: readonly string[],
  milliseconds: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const followed = [...ids.slice(0, FOLLOWED).map((id) => `/containers/${id}/stats`), '/events', '/events']
  const streams = await Promise.all(followed.map((path) => api.follow(path)))
  for (const stream of streams) stream.resume()
  const end = performance.now() + milliseconds
  const times = new Map<string, number[]>(questions.map(({ name }) => [name, []]))
  const client = async (first: number): Promise<void> => {
    for (let turn = first; performance.now() < end; turn++) {
      const { name, path } = questions[turn % questions.length] ?? questions[0]
      times.get(name)?.push(await timeOf(api.ask('GET', path(ids[turn % ids.length] ?? ''))))
      await delay(PAUSE_MS, undefined, { signal })
    }
  }
  try {
    await Promise.all(Array.from({ length: CLIENTS }, (_, n) => client(n)))
    return times
  } finally {
    for (const stream of streams) stream.destroy()
  }
}
