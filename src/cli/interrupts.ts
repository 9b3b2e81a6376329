import { constants } from 'node:os'
import type { Io, SignalName } from './io.ts'

const PATIENCE = 3

/**
 * What Ctrl-C means while a command runs: the first one aborts `signal`, so that the command can stop in an orderly
 * way; the third one ends the process, whatever the command does.
 */
export class Interrupts implements Disposable {
  readonly signal: AbortSignal
  readonly #subscription: Disposable
  #first: SignalName | undefined
  #count = 0

  constructor(io: Io) {
    const controller = new AbortController()
    this.signal = controller.signal
    this.#subscription = io.onSignal(['SIGINT', 'SIGTERM'], (name) => {
      this.#first ??= name
      this.#count += 1
      if (this.#count >= PATIENCE) {
        io.stdin.setRawMode?.(false)
        io.stderr.write(`\ngot ${PATIENCE} SIGTERM/SIGINTs, forcefully exiting\n`)
        io.exit(1)
      }
      controller.abort()
    })
  }

  /** 128 and the number of the first signal; undefined when there was none. */
  get exitCode(): number | undefined {
    return this.#first === undefined ? undefined : 128 + constants.signals[this.#first]
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }
}
