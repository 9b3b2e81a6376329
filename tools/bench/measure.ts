import { spawnSync } from 'node:child_process'

/** Nothing that is measured takes as long; what does has failed. */
const PATIENCE_MS = 120_000

/** Runs a program to its end and returns how long that took, in milliseconds. Throws when it fails. */
export function timed(argv: readonly string[], input = ''): number {
  const [program = '', ...args] = argv
  const start = process.hrtime.bigint()
  const { status, stderr, error } = spawnSync(program, args, {
    input,
    stdio: ['pipe', 'ignore', 'pipe'],
    timeout: PATIENCE_MS,
  })
  const took = Number(process.hrtime.bigint() - start) / 1e6
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}: ${stderr.toString().trim()}`)
  return took
}

/** The elements of `list`, beginning with another one each turn: nobody is always first. */
export function rotated<T>(list: readonly T[], turn: number): T[] {
  const first = turn % Math.max(1, list.length)
  return [...list.slice(first), ...list.slice(0, first)]
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? Number.NaN
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper
}
