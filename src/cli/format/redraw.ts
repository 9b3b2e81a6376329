import type { Output } from '../io.ts'
import { columnsOf } from './width.ts'

/** Lines on a terminal that are drawn anew in place, by one write each time, so that nothing flickers. */
export class Redraw {
  readonly #output: Output
  /** Widths of the lines as they stand on the terminal above the cursor. */
  #drawn: readonly number[] = []
  #columns = 0

  constructor(output: Output) {
    this.#output = output
  }

  /** Columns and rows of the terminal; 80 and 24 where it does not know. */
  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 }
  }

  get isEmpty(): boolean {
    return this.#drawn.length === 0
  }

  /** Puts these lines in the place of those drawn last. More than fit on the terminal scroll away, and stay there. */
  draw(lines: readonly string[]): void {
    const { columns, rows } = this.size
    // A terminal that became narrower has wrapped what stood there.
    const above = this.#drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0)
    const up = Math.min(above, rows - 1)
    const home = up === 0 ? '\r' : `\r\u001b[${up}A`
    // Terminals remember which rows were wrapped, until these are erased.
    const erase = columns === this.#columns ? '' : '\u001b[J'
    this.#columns = columns
    this.#output.write(`${home}${erase}${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`)
    this.#drawn = lines.map(columnsOf)
  }

  /** What was drawn stays; what is drawn next stands below. */
  settle(): void {
    this.#drawn = []
  }
}
