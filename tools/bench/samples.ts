/** One line of a table: for each column its samples. */
export interface Row<Column> {
  readonly title: string
  readonly unit: 'ms' | 'µs' | '/s' | 'MB'
  readonly samples: ReadonlyMap<Column, readonly number[]>
}

/** Samples of a row, gathered in turns. */
export class Samples<Column> {
  readonly #samples = new Map<Column, number[]>()

  add(column: Column, value: number): void {
    const list = this.#samples.get(column) ?? []
    list.push(value)
    this.#samples.set(column, list)
  }

  row(title: string, unit: Row<Column>['unit']): Row<Column> {
    return { title, unit, samples: this.#samples }
  }
}
