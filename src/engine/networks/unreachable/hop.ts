import type { Hop } from '#api/network-reports.ts'

/** One step of the way that holds. */
export function ok(hop: Hop['Hop'], Text: string): Hop {
  return { Hop: hop, State: 'ok', Text }
}

/** One that does not, with what to do. */
export function broken(hop: Hop['Hop'], Text: string, Next: string): Hop {
  return { Hop: hop, State: 'broken', Text, Next }
}
