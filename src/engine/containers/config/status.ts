/** What a list shows for people: the words Docker's daemon computes, so that every client prints the same. */

const SECOND = 1000
const NEVER = '0001-01-01T00:00:00Z'

export interface StatusFacts {
  readonly status: 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'removing' | 'dead'
  readonly exitCode: number
  readonly startedAt: Date | undefined
  readonly finishedAt: Date | undefined
  /** Undefined or `none` without a health check. */
  readonly health?: 'none' | 'starting' | 'healthy' | 'unhealthy' | undefined
}

/** `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`, … */
export function statusText(facts: StatusFacts, now: Date): string {
  const since = (date: Date | undefined): string => humanDuration(now.getTime() - (date ?? now).getTime())
  switch (facts.status) {
    case 'created':
      return 'Created'
    case 'running':
      return `Up ${since(facts.startedAt)}${healthText(facts.health)}`
    case 'paused':
      return `Up ${since(facts.startedAt)} (Paused)`
    case 'restarting':
      return `Restarting (${facts.exitCode}) ${since(facts.finishedAt)} ago`
    case 'exited':
      // Without an end it never ran, whatever it is called.
      return facts.finishedAt === undefined
        ? 'Created'
        : `Exited (${facts.exitCode}) ${since(facts.finishedAt)} ago`
    case 'removing':
      return 'Removal In Progress'
    case 'dead':
      return 'Dead'
  }
}

/** Milliseconds as people say them; rounding is Docker's, hours to the nearest and the rest down. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / SECOND)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`

  const minutes = Math.floor(seconds / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`

  const hours = Math.floor(milliseconds / (3600 * SECOND) + 0.5)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  if (hours < 24 * 14) return `${Math.floor(hours / 24)} days`
  if (hours < 24 * 60) return `${Math.floor(hours / 24 / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`
  return `${Math.floor(hours / 24 / 365)} years`
}

/** The list's `Command`: path and arguments, those with a space in single quotes. */
export function commandText(path: string, args: readonly string[]): string {
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ')
}

/** Go's RFC3339Nano in UTC: up to nine digits without trailing zeros. `undefined` is Go's zero time. */
export function rfc3339Nano(time: Date | bigint | undefined): string {
  if (time === undefined) return NEVER
  const nanoseconds = typeof time === 'bigint' ? time : BigInt(time.getTime()) * 1_000_000n
  const fraction = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const seconds = (nanoseconds - fraction) / 1_000_000_000n
  const whole = new Date(Number(seconds) * SECOND).toISOString().slice(0, 19)
  const digits = fraction.toString().padStart(9, '0').replace(/0+$/, '')
  return digits === '' ? `${whole}Z` : `${whole}.${digits}Z`
}

function healthText(health: StatusFacts['health']): string {
  if (health === undefined || health === 'none') return ''
  return health === 'starting' ? ' (health: starting)' : ` (${health})`
}
