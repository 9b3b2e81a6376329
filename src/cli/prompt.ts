import { EngineError } from '#base/errors.ts'
import type { Io } from './io.ts'

const CTRL_C = '\u0003'
const CTRL_D = '\u0004'
const CTRL_U = '\u0015'
const erasing: ReadonlySet<string> = new Set(['\b', '\u007f'])

/** Asks questions on the terminal, one after the other. What is typed ahead belongs to the next question. */
export class Prompt implements Disposable {
  readonly #io: Io
  readonly #signal: AbortSignal
  #typed = ''
  #ended = false
  #wake = Promise.withResolvers<void>()

  constructor({ io, signal }: { readonly io: Io; readonly signal: AbortSignal }) {
    this.#io = io
    this.#signal = signal
    io.stdin.on('data', this.#take)
    io.stdin.once('end', this.#end)
    signal.addEventListener('abort', this.#end, { once: true })
  }

  /** A line, without its end; an empty one when there is no more input. */
  async line(question: string): Promise<string> {
    const { stdout } = this.#io
    stdout.write(question)
    const answer = await this.#read()
    // Otherwise the terminal has shown the end of the line already.
    if (this.#ended) stdout.write('\n')
    return answer
  }

  /** A line of which nothing is shown, not even its length. */
  async secret(question: string): Promise<string> {
    const { stdin, stdout } = this.#io
    stdin.setRawMode?.(true)
    try {
      stdout.write(question)
      return await this.#read()
    } finally {
      stdin.setRawMode?.(false)
      stdout.write('\n')
    }
  }

  [Symbol.dispose](): void {
    const { stdin } = this.#io
    stdin.off('data', this.#take).off('end', this.#end)
    stdin.pause()
    this.#signal.removeEventListener('abort', this.#end)
  }

  readonly #take = (chunk: Buffer | string): void => {
    this.#typed += chunk.toString()
    this.#notify()
  }

  readonly #end = (): void => {
    this.#ended = true
    this.#notify()
  }

  #notify(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }

  async #read(): Promise<string> {
    for (;;) {
      this.#signal.throwIfAborted()
      // A raw terminal sends it as a character instead of a signal.
      if (this.#typed.includes(CTRL_C)) throw interrupted()
      const [line = '', ...rest] = this.#typed.split(/\r\n|[\r\n]/)
      if (rest.length > 0 || this.#ended || line.includes(CTRL_D)) {
        this.#typed = this.#typed.slice(line.length).replace(/^(\r\n|[\r\n])/, '')
        return edited(line)
      }
      await this.#wake.promise
    }
  }
}

/** What is left of a line after the keys that erase. */
function edited(line: string): string {
  const kept: string[] = []
  for (const character of line) {
    if (erasing.has(character)) kept.pop()
    else if (character === CTRL_U) kept.length = 0
    else if (character !== CTRL_D) kept.push(character)
  }
  return kept.join('')
}

function interrupted(): EngineError {
  return new EngineError('cancelled', 'interrupted; nothing was changed', { code: 'PROMPT_INTERRUPTED' })
}
