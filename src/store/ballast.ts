import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Logger } from '#base/logger.ts'

const SIZE = 4 << 20
/** The space is taken only where there is this many times as much. */
const PLENTY = 8
/** Milliseconds to the next attempt after one that failed. */
const PATIENCE = 10_000

/**
 * Space that is kept for a full disk: it is given up so that what ends and removes containers can still be written down,
 * and taken again when there is room.
 */
export class Ballast {
  readonly #path: string
  readonly #logger: Logger
  #failedAt = Number.NEGATIVE_INFINITY
  #held = false

  constructor(path: string, logger: Logger) {
    this.#path = path
    this.#logger = logger
    this.#held = existsSync(path)
  }

  /** Takes the space unless it has it, was just refused, or the disk is nearly full. Cheap; never fails. */
  fill(now: number = performance.now()): void {
    if (this.#held || now - this.#failedAt < PATIENCE) return
    try {
      const { bavail, bsize } = statfsSync(dirname(this.#path))
      if (bavail * bsize < SIZE * PLENTY) return
      this.#write()
      this.#held = true
    } catch (error) {
      this.#failedAt = now
      rmSync(this.#path, { force: true })
      this.#logger.warn('no space could be kept for a full disk', { path: this.#path, error })
    }
  }

  /** Gives the space up; `false` when there is none to give. */
  release(): boolean {
    if (!this.#held) return false
    this.#held = false
    rmSync(this.#path, { force: true })
    this.#logger.error('the disk is full; the space kept for that is in use now', { path: this.#path })
    return true
  }

  #write(): void {
    const file = openSync(this.#path, 'w', 0o600)
    try {
      const zeros = Buffer.alloc(SIZE)
      for (let at = 0; at < SIZE;) at += writeSync(file, zeros, at)
    } finally {
      closeSync(file)
    }
  }
}
