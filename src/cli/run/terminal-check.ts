import type { Context } from '../command.ts'
import { commandError } from '../errors.ts'

/** A container's terminal with stdin needs a terminal on this side too. */
export function requireTerminal(needed: boolean, { io }: Context): void {
  if (!needed || io.stdin.isTTY === true) return
  throw commandError('cannot attach stdin to a TTY-enabled container because stdin is not a terminal')
}
