/** Variables of a block, and those around it. */
export class Scope {
  readonly #values = new Map<string, unknown>()
  readonly #outer: Scope | undefined

  constructor(outer?: Scope) {
    this.#outer = outer
  }

  get(name: string): { readonly value: unknown } | undefined {
    return this.#values.has(name) ? { value: this.#values.get(name) } : this.#outer?.get(name)
  }

  declare(name: string, value: unknown): void {
    this.#values.set(name, value)
  }

  /** False when there is no such variable. */
  assign(name: string, value: unknown): boolean {
    if (this.#values.has(name)) {
      this.#values.set(name, value)
      return true
    }
    return this.#outer?.assign(name, value) ?? false
  }
}
