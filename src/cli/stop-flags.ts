import type { StopOptions } from '#client/containers.ts'
import { integer, string, type Values } from './flags.ts'

export const stopFlags = {
  signal: string('Signal to send first', { short: 's' }),
  timeout: integer('Seconds until SIGKILL; -1 waits for ever', { short: 't' }),
  time: integer('Old name of --timeout', { hidden: true }),
} as const

export function stopOptions(flags: Values<typeof stopFlags>): StopOptions {
  return { signal: flags.signal || undefined, timeout: flags.timeout ?? flags.time }
}
