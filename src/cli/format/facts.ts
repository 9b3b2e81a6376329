/** Lines of `name: value`, indented by depth; what has no value is left out. */
export class Facts {
  readonly #lines: string[] = []

  /** A line, unless the value is missing. */
  add(depth: number, name: string, value: string | number | boolean | null | undefined): this {
    if (value !== undefined && value !== null)
      this.#lines.push(`${' '.repeat(depth)}${name}: ${String(value)}`)
    return this
  }

  /** A title with lines below it, unless there are none. */
  list(depth: number, title: string, lines: readonly string[]): this {
    if (lines.length === 0) return this
    this.#lines.push(
      `${' '.repeat(depth)}${title}:`,
      ...lines.map((line) => `${' '.repeat(depth + 1)}${line}`),
    )
    return this
  }

  line(text: string): this {
    this.#lines.push(text)
    return this
  }

  toString(): string {
    return this.#lines.map((line) => `${line}\n`).join('')
  }
}
