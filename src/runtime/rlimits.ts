import { EngineError } from '#base/errors.ts'
import type { PosixRlimit, Uint64 } from './oci-runtime-spec.ts'
import type { Rlimit } from './spec.ts'

/** Docker's names; the specification's are `RLIMIT_` and these in upper case. */
export const rlimitNames: readonly string[] = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
]

const RLIM_INFINITY = 2n ** 64n - 1n

export interface ClampedRlimits {
  readonly rlimits: readonly Rlimit[]
  /** One sentence per limit that was lowered. */
  readonly warnings: readonly string[]
}

/**
 * Lowers what the daemon cannot give to what it can. Refusing would make every container with a default ulimit fail on a
 * machine whose own limits are low.
 */
export function clampRlimits(
  rlimits: readonly Rlimit[],
  hardLimits: Readonly<Record<string, number>>,
): ClampedRlimits {
  const warnings: string[] = []
  const clamped = rlimits.map((asked) => {
    const type = rlimitName(asked.type)
    const most = unlimitedIfNegative(hardLimits[type] ?? Infinity)
    const hard = Math.min(unlimitedIfNegative(asked.hard), most)
    const soft = Math.min(unlimitedIfNegative(asked.soft), hard)
    if (hard < unlimitedIfNegative(asked.hard)) {
      warnings.push(
        `ulimit ${type}: ${text(asked.hard)} is more than this machine allows; using ${text(hard)}`,
      )
    }
    return { type, soft, hard }
  })
  return { rlimits: clamped, warnings }
}

/** config.md "POSIX process": `rlimits`. The last one of a type counts. */
export function posixRlimits(rlimits: readonly Rlimit[]): PosixRlimit[] {
  const byType = new Map(rlimits.map((rlimit) => [rlimitName(rlimit.type), rlimit]))
  return [...byType].map(([name, { soft, hard }]) => ({
    type: `RLIMIT_${name.toUpperCase()}`,
    soft: uint64(soft),
    hard: uint64(hard),
  }))
}

/** `nofile` from `nofile`, `NOFILE` or `RLIMIT_NOFILE`. Fails with Docker's wording. */
export function rlimitName(type: string): string {
  const name = type.toLowerCase().replace(/^rlimit_/, '')
  if (rlimitNames.includes(name)) return name
  throw new EngineError('invalid_argument', `invalid ulimit type: ${type}`, { code: 'ULIMIT_INVALID' })
}

/** JSON.rawJSON is in Node, but not yet in TypeScript's library. */
const { rawJSON } = JSON as unknown as { rawJSON: (this: void, text: string) => Uint64 }

function uint64(value: number): Uint64 {
  if (value < 0 || value === Infinity) return rawJSON(String(RLIM_INFINITY))
  return Number.isSafeInteger(value) ? value : rawJSON(String(BigInt(value)))
}

function unlimitedIfNegative(value: number): number {
  return value < 0 ? Infinity : value
}

function text(value: number): string {
  return unlimitedIfNegative(value) === Infinity ? 'unlimited' : String(value)
}
