import { Slots } from '#base/slots.ts'
import { EngineError, messageOf } from '#base/errors.ts'
import { together } from '../document/errors.ts'
import type { Operation, Plan } from '../plan/operation.ts'

/** Told of every operation as it begins and ends. */
export interface Reporter {
  began(operation: Operation): void
  ended(operation: Operation): void
  failed(operation: Operation, error: unknown): void
}

export interface ExecuteOptions {
  /** How many operations run at the same time at most; none: no limit. */
  readonly parallel?: number | undefined
  readonly signal: AbortSignal
  readonly reporter: Reporter
}

/** Carries out one operation. */
export type Perform = (operation: Operation, signal: AbortSignal) => Promise<void>

/**
 * Carries out a plan: everything whose predecessors are done, at once. After a failure or an interruption nothing new
 * begins, what has begun comes to its end, and what has failed is thrown.
 */
export async function execute(plan: Plan, perform: Perform, options: ExecuteOptions): Promise<void> {
  const { parallel = Number.POSITIVE_INFINITY, signal, reporter } = options
  const slots = new Slots(parallel)
  const failed = new AbortController()
  const begun = new Map<string, Promise<void>>()
  const failures: unknown[] = []

  const run = async (operation: Operation): Promise<void> => {
    await Promise.all(operation.after.flatMap((id) => begun.get(id) ?? []))
    // Waiting for a service takes no place: those that it waits for may need one.
    using _place = operation.type === 'wait for service' ? undefined : await slots.acquire()
    if (failed.signal.aborted || signal.aborted) return
    reporter.began(operation)
    try {
      await perform(operation, AbortSignal.any([signal, failed.signal]))
      reporter.ended(operation)
    } catch (error) {
      // What was waiting, and is over because of another failure, is none itself.
      if (failed.signal.aborted && isAbort(error)) return
      failures.push(error)
      failed.abort()
      reporter.failed(operation, error)
    }
  }

  for (const operation of inOrder(plan)) begun.set(operation.id, run(operation))
  await Promise.all(begun.values())
  if (signal.aborted) throw interrupted(signal)
  const [first, ...others] = failures
  if (first !== undefined) throw together([first, ...others])
}

/** Predecessors first. */
function inOrder(plan: Plan): Plan {
  const byId = new Map(plan.map((operation) => [operation.id, operation]))
  const ordered = new Set<Operation>()
  const add = (operation: Operation): void => {
    if (ordered.has(operation)) return
    for (const id of operation.after) {
      const before = byId.get(id)
      if (before !== undefined) add(before)
    }
    ordered.add(operation)
  }
  for (const operation of plan) add(operation)
  return [...ordered]
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

function interrupted(signal: AbortSignal): EngineError {
  return new EngineError('cancelled', `interrupted: ${messageOf(signal.reason)}`, {
    code: 'COMPOSE_INTERRUPTED',
    cause: signal.reason,
  })
}
