import { decodeSegment } from './target.ts'

export type Params = Readonly<Record<string, string>>

/**
 * Matches a route's path such as `/containers/{id}/start` against a request's path. A greedy pattern lets its
 * parameters hold slashes, as image names do, but not two in a row. Parameters are decoded after matching.
 */
export class PathPattern {
  readonly #expression: RegExp

  constructor(path: string, options: { readonly greedy: boolean }) {
    const value = options.greedy ? '[^/]+(?:/[^/]+)*' : '[^/]+'
    const source = path.split(/(\{\w+\})/).map((part) => {
      const name = /^\{(\w+)\}$/.exec(part)?.[1]
      return name === undefined ? RegExp.escape(part) : `(?<${name}>${value})`
    })
    this.#expression = new RegExp(`^${source.join('')}$`)
  }

  match(path: string): Params | undefined {
    const groups = this.#expression.exec(path)?.groups
    if (groups === undefined) return this.#expression.test(path) ? {} : undefined
    return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeSegment(value)]))
  }
}
