import type { Logger } from './logger.ts'

/** Work that nobody awaits on the spot: it is counted, its failure is logged once, and shutting down waits for it. */
export class Background {
  readonly #logger: Logger
  readonly #running = new Set<Promise<void>>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** `name` says what was done, in the words of a log line. */
  run(name: string, work: () => Promise<unknown>): void {
    const settled = work().then(
      () => undefined,
      (error: unknown) => this.#logger.error(`${name} failed`, { error }),
    )
    this.#running.add(settled)
    void settled.finally(() => this.#running.delete(settled))
  }

  /** Resolves when nothing is running, including what was started meanwhile. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}
