import { type Operation, type Plan, objectOf } from './operation.ts'

/** A line per operation: number, what, on what, why, and after which others. */
export function planText(plan: Plan): string {
  const numbers = new Map(plan.map(({ id }, i) => [id, `#${i + 1}`]))
  return plan.map((operation) => `${lineOf(operation, numbers)}\n`).join('')
}

function lineOf(operation: Operation, numbers: ReadonlyMap<string, string>): string {
  const after = operation.after.flatMap((id) => numbers.get(id) ?? [])
  const order = after.length === 0 ? '' : ` [after ${after.join(', ')}]`
  const how = operation.type === 'replace container' && operation.rolling ? ' (the new one first)' : ''
  return `${numbers.get(operation.id)} ${operation.type} ${objectOf(operation)}${how}: ${operation.cause}${order}`
}

/** The same for programs. */
export function planDocument(plan: Plan): readonly object[] {
  const numbers = new Map(plan.map(({ id }, i) => [id, i + 1]))
  return plan.map((operation, i) => ({
    id: i + 1,
    operation: operation.type,
    object: objectOf(operation),
    cause: operation.cause,
    after: operation.after.flatMap((id) => numbers.get(id) ?? []),
  }))
}
