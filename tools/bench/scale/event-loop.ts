import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

/** Since it was last asked for. */
export interface LoopFigures {
  /** Milliseconds that the event loop was held up. */
  readonly p99: number
  readonly most: number
  /** Resident memory, in MB of 2^20 bytes. */
  readonly megabytes: number
}

/** What an engine is started with so that its event loop can be asked; see loop-delay.ts. */
export function loopEnvironment(socket: string): NodeJS.ProcessEnv {
  return {
    LOOP_DELAY_SOCKET: socket,
    NODE_OPTIONS: `--import ${join(import.meta.dirname, 'loop-delay.ts')}`,
  }
}

export async function askLoop(socket: string): Promise<LoopFigures> {
  const connection = connect(socket)
  await once(connection, 'connect')
  return JSON.parse(await text(connection)) as LoopFigures
}

export function minuteSummary({ p99, most, megabytes }: LoopFigures): string {
  return `event loop held up ${p99.toFixed(1)} ms (p99), ${most.toFixed(0)} ms (most); ${megabytes.toFixed(0)} MB resident`
}

/** Said below the table; `minutes` has at least one element. */
export function loopSummary(minutes: readonly LoopFigures[]): string {
  const p99 = minutes.map((minute) => minute.p99)
  const range = `${Math.min(...p99).toFixed(1)} to ${Math.max(...p99).toFixed(1)} ms`
  const most = Math.max(...minutes.map((minute) => minute.most)).toFixed(0)
  const [first, last] = [minutes.at(0), minutes.at(-1)].map((minute) => (minute?.megabytes ?? 0).toFixed(0))
  const held = `berth's event loop was held up ${range} at p99 of a minute, ${most} ms at the most`
  return `In ${minutes.length} min of polling ${held}; resident memory ${first} MB after the first, ${last} MB after the last.`
}
