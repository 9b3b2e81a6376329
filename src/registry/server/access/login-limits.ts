import { isIPv6 } from 'node:net'
import type { Clock } from '#base/clock.ts'
import { tooManyLogins } from './errors.ts'
import { isLoopbackHost } from './exposure.ts'

export interface LoginLimitOptions {
  readonly clock: Clock
  /** Failed logins of one account from one address per window; default 10. */
  readonly perAccount?: number | undefined
  /** Failed logins from one address per window, whatever the accounts; default 100. */
  readonly perAddress?: number | undefined
  /** Milliseconds; default five minutes. */
  readonly window?: number | undefined
}

/** A login that is being checked. It counts as failed until it has succeeded, so that many at once are no way round. */
export interface LoginAttempt {
  succeeded(): void
  /** Nothing was found out. */
  withdrawn(): void
}

interface Count {
  failures: number
  readonly ends: number
}

const MAX_COUNTS = 20_000

/** Makes guessing passwords slow. A limit holds for the right password too, or it would be no limit. */
export class LoginLimits {
  readonly #clock: Clock
  readonly #perAccount: number
  readonly #perAddress: number
  readonly #window: number
  /** Oldest first. */
  readonly #counts = new Map<string, Count>()

  constructor({ clock, perAccount = 10, perAddress = 100, window = 300_000 }: LoginLimitOptions) {
    this.#clock = clock
    this.#perAccount = perAccount
    this.#perAddress = perAddress
    this.#window = window
  }

  /** Throws `resource_exhausted` while there were too many failures; `details.retryAfter` is in seconds. */
  check(address: string, account: string): void {
    for (const [key, limit] of this.#keys(address, account)) {
      const count = this.#current(key)
      if (count === undefined || count.failures < limit) continue
      throw tooManyLogins(Math.max(1, Math.ceil((count.ends - this.#now()) / 1000)))
    }
  }

  /** Throws as check() does. */
  begin(address: string, account: string): LoginAttempt {
    this.check(address, account)
    const keys = this.#keys(address, account).map(([key]) => key)
    for (const key of keys) this.#add(key, 1)
    const [ofAccount = ''] = keys
    const withdrawn = (): void => keys.forEach((key) => this.#add(key, -1))
    return {
      withdrawn,
      succeeded: () => {
        withdrawn()
        // Not the address as a whole: an account of one's own would else reset the limit on those of others.
        this.#counts.delete(ofAccount)
      },
    }
  }

  #keys(address: string, account: string): readonly (readonly [string, number])[] {
    const network = networkOf(address)
    const ofAccount = [`${network} ${account.slice(0, 128)}`, this.#perAccount] as const
    // Behind a proxy on this host everybody has its address.
    return isLoopbackHost(network) ? [ofAccount] : [ofAccount, [network, this.#perAddress]]
  }

  #current(key: string): Count | undefined {
    const count = this.#counts.get(key)
    if (count === undefined || count.ends > this.#now()) return count
    this.#counts.delete(key)
    return undefined
  }

  #add(key: string, change: 1 | -1): void {
    const count = this.#current(key)
    if (count !== undefined) {
      count.failures = Math.max(0, count.failures + change)
      return
    }
    if (change < 0) return
    const [oldest] = this.#counts.size >= MAX_COUNTS ? this.#counts.keys() : []
    if (oldest !== undefined) this.#counts.delete(oldest)
    this.#counts.set(key, { failures: 1, ends: this.#now() + this.#window })
  }

  #now(): number {
    return this.#clock.now().getTime()
  }
}

/** One person has a /64 of IPv6 addresses. */
function networkOf(address: string): string {
  const [plain = ''] = address.replace(/^::ffff:(?=\d+\.)/i, '').split('%')
  if (!isIPv6(plain) || plain === '::1') return plain
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined)
    groups.push(...Array<string>(8 - groups.length - (tail === '' ? 0 : tail.split(':').length)).fill('0'))
  return `${groups.slice(0, 4).join(':')}::/64`
}
