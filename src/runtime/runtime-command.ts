import { createHash } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A runtime that the configuration names. */
export interface ConfiguredRuntime {
  /** Absolute, or a name for the search path. */
  readonly path: string
  /** Before those of the engine. */
  readonly args: readonly string[]
}

/**
 * What to execute for a runtime. One that has arguments of its own becomes a script below `directory`, since shims know a
 * path alone; a script is named after its contents, so that containers that run keep theirs.
 */
export async function runtimeCommand(directory: string, { path, args }: ConfiguredRuntime): Promise<string> {
  if (args.length === 0) return path
  const script = `#!/bin/sh\nexec ${[path, ...args].map(shellQuoted).join(' ')} "$@"\n`
  const file = join(directory, createHash('sha256').update(script).digest('hex').slice(0, 16))
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(`${file}.new`, script, { mode: 0o700 })
  await rename(`${file}.new`, file)
  return file
}

export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
