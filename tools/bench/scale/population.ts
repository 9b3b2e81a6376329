import { CONTAINER } from '../contenders.ts'
import { IMAGE } from '../scenarios.ts'
import type { EngineApi } from './engine-api.ts'

export const ENDED = 1000
export const RUNNING = 200
const WIDTH = 8

/** Makes containers that have ended and containers that run. Returns the ids of those that run. */
export async function populate(api: EngineApi): Promise<readonly string[]> {
  await each(ENDED, async (n) => start(api, n, ['true']))
  const running: string[] = []
  await each(RUNNING, async (n) => void running.push(await start(api, ENDED + n, ['sleep', '100000'])))
  return running
}

async function start(api: EngineApi, n: number, Cmd: readonly string[]): Promise<string> {
  const body = { Image: IMAGE, Cmd, Labels: { n: String(n) } }
  const created = await api.ask('POST', `/containers/create?name=${CONTAINER}-${n}`, body)
  const { Id } = JSON.parse(created) as { Id: string }
  await api.ask('POST', `/containers/${Id}/start`)
  return Id
}

async function each(count: number, work: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: WIDTH }, worker))
}
