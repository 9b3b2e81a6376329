/**
 * Whose turn it is, for simulations: what is gated waits before it acts and before it answers until it is let go. Without
 * a script everything goes at once.
 */
export class Turns {
  readonly #waiting: (() => void)[] = []
  #scripted = false
  #over = false

  /** From now on nothing goes by itself. */
  script(): void {
    this.#scripted = true
  }

  /** Whoever waits now or asks later waits for ever: its process is dead. */
  end(): void {
    this.#over = true
    this.#waiting.length = 0
  }

  get waiting(): number {
    return this.#waiting.length
  }

  async take(): Promise<void> {
    if (!this.#scripted && !this.#over) return
    const { promise, resolve } = Promise.withResolvers<void>()
    if (!this.#over) this.#waiting.push(resolve)
    await promise
  }

  /** Lets one go; `choose` picks among so many. */
  next(choose: (count: number) => number): void {
    const [go] = this.#waiting.splice(choose(this.#waiting.length), 1)
    go?.()
  }
}

const GATED = ['AsyncFunction', 'AsyncGeneratorFunction']

/** `target` with all its asynchronous methods, and those of the shims that they return, waiting for their turn. */
export function gated<T extends object>(target: T, turns: Turns): T {
  return new Proxy(target, {
    get(_target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const kind = value.constructor.name
      const method = value.bind(target) as (...args: unknown[]) => unknown
      if (!GATED.includes(kind)) return method
      if (kind === 'AsyncGeneratorFunction') {
        return (...args: unknown[]) => inTurn(method(...args) as AsyncIterable<unknown>, turns)
      }
      return async (...args: unknown[]) => {
        await turns.take()
        try {
          const result: unknown = await method(...args)
          return isShim(result) ? gated(result, turns) : result
        } finally {
          await turns.take()
        }
      }
    },
  })
}

async function* inTurn(items: AsyncIterable<unknown>, turns: Turns): AsyncGenerator<unknown> {
  for await (const item of items) {
    await turns.take()
    yield item
  }
  await turns.take()
}

function isShim(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'watch' in value
}
