/**
 * Kills a test daemon at a chosen step of what it does: before or after one of the requests to its helper that change
 * something in the kernel. What it writes to its database lies between two of them. What it asks of shims and of the
 * resolver is not counted.
 */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NODE, REPOSITORY } from './daemon.ts'
import { nativeBuild } from './native.ts'

export interface Plan {
  /** Of the step, from 1; 0: none. */
  readonly step: number
  readonly when: 'before' | 'after'
  /** Another one begins to count anew. */
  readonly nonce: number
}

export class KillPoints implements Disposable {
  /** Takes the place of the directory with native programs. */
  readonly #directory = mkdtempSync(join(tmpdir(), 'berth-kill-'))
  readonly #plan = join(this.#directory, 'plan')
  #nonce = 0

  constructor() {
    for (const program of readdirSync(nativeBuild)) {
      if (program !== 'berth-helper') symlinkSync(join(nativeBuild, program), join(this.#directory, program))
    }
    const helper = join(this.#directory, 'berth-helper')
    const relay = join(REPOSITORY, 'test/support/helper-relay.ts')
    // The process of the script becomes the helper: the daemon knows it by its pid.
    const script = `#!/bin/sh
pipes=$(mktemp -d) && mkfifo "$pipes/to" "$pipes/from" || exit 1
exec 3<&0 4>&1
'${NODE}' '${relay}' '${this.#plan}' "$PPID" "$pipes/to" "$pipes/from" <&3 >&4 3<&- 4>&- &
exec '${join(nativeBuild, 'berth-helper')}' "$@" <"$pipes/to" >"$pipes/from" 3<&- 4>&-
`
    writeFileSync(helper, script)
    chmodSync(helper, 0o755)
    this.disarm()
  }

  /** For TestDaemonOptions. */
  readonly dress = (...argv: readonly string[]): readonly string[] => [
    'env',
    `BERTH_NATIVE_BUILD=${this.#directory}`,
    ...argv,
  ]

  /** From now on steps are counted, and the daemon dies at that one. */
  arm(step: number, when: Plan['when']): void {
    this.#write({ step, when, nonce: ++this.#nonce })
  }

  /** Returns the steps that were made since it was armed, in words. */
  disarm(): string[] {
    const log = `${this.#plan}.log`
    const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : []
    const steps = lines
      .filter((line) => line.startsWith(`${this.#nonce} `))
      .map((line) => line.replace(/^\d+ /, ''))
    this.#write({ step: 0, when: 'before', nonce: ++this.#nonce })
    return steps
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true })
  }

  #write(plan: Plan): void {
    writeFileSync(`${this.#plan}.new`, JSON.stringify(plan))
    renameSync(`${this.#plan}.new`, this.#plan)
  }
}
