import { abortable } from '#base/mutex.ts'

interface Waiting {
  readonly bytes: number
  readonly admit: () => void
}

/** A part of a window, held by one request. */
export interface Share extends Disposable {
  /** So many of its bytes are kept now, and no longer on the way. */
  arrived(bytes: number): void
}

/**
 * How many bytes may be on the way at once, of all downloads together: asked for, and not yet kept. Whoever would ask for
 * more waits, in order. A kill of the daemon at any instant makes no more than these cross again, whatever lies in the
 * buffers of the kernel.
 */
export class Window {
  readonly #size: number
  readonly #waiting: Waiting[] = []
  #used = 0

  constructor(size: number) {
    this.#size = size
  }

  /** More than the whole window counts as the whole. */
  async share(wanted: number, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Share> {
    const bytes = Math.min(wanted, this.#size)
    options.signal?.throwIfAborted()
    if (this.#waiting.length === 0 && this.#has(bytes)) this.#used += bytes
    else await this.#wait(bytes, options.signal)
    let left = bytes
    const arrived = (count: number): void => {
      const kept = Math.min(count, left)
      left -= kept
      this.#release(kept)
    }
    return { arrived, [Symbol.dispose]: () => arrived(left) }
  }

  #has(bytes: number): boolean {
    return this.#used + bytes <= this.#size
  }

  async #wait(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = { bytes, admit: resolve }
    this.#waiting.push(waiting)
    try {
      await abortable(promise, signal)
    } catch (error) {
      const at = this.#waiting.indexOf(waiting)
      if (at === -1) this.#release(bytes)
      else this.#waiting.splice(at, 1)
      // Who stood behind may fit.
      this.#release(0)
      throw error
    }
  }

  #release(bytes: number): void {
    this.#used -= bytes
    for (let [next] = this.#waiting; next !== undefined && this.#has(next.bytes); [next] = this.#waiting) {
      this.#waiting.shift()
      this.#used += next.bytes
      next.admit()
    }
  }
}
