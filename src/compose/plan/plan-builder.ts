import { type Action, type Operation, type Plan, idOf } from './operation.ts'

/** Collects operations; each once, and none with a predecessor that is not there. */
export class PlanBuilder {
  readonly #operations = new Map<string, Operation>()

  /** Returns the id, for those that come after. */
  add(action: Action, cause: string, after: readonly (string | undefined)[] = []): string {
    const id = idOf(action)
    const before = after.filter((each) => each !== undefined)
    if (!this.#operations.has(id)) this.#operations.set(id, { ...action, id, cause, after: before })
    return id
  }

  has(id: string): boolean {
    return this.#operations.has(id)
  }

  get plan(): Plan {
    return [...this.#operations.values()].map((operation) => ({
      ...operation,
      after: operation.after.filter((id) => this.#operations.has(id)),
    }))
  }
}
