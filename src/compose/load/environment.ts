import { join, resolve } from 'node:path'
import { projectError } from '../document/errors.ts'
import { parseDotenv } from '../environment/dotenv.ts'
import type { Lookup } from '../environment/template.ts'
import type { Files } from './files.ts'

type Env = Readonly<Record<string, string | undefined>>

/** The variables of the shell, those that are set. */
export function shellVariables(env: Env): Map<string, string> {
  return new Map(Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

/**
 * Variables for a project in `directory`: those of the shell, then those of its files, `.env` if none is named; of two
 * files the later one wins.
 */
export function projectVariables(
  shell: ReadonlyMap<string, string>,
  {
    directory,
    cwd,
    named,
    files,
  }: { directory: string; cwd: string; named: readonly string[]; files: Files },
): { readonly variables: Map<string, string>; readonly envFiles: readonly string[] } {
  const variables = new Map(shell)
  const chosen = named.length > 0 ? named.map((file) => resolve(cwd, file)) : defaultFiles(shell, directory)
  for (const file of chosen) {
    const text = files.read(file)
    if (text === undefined) {
      if (named.length > 0) throw projectError(`couldn't find env file: ${file}`)
      continue
    }
    const known: Lookup = (name) => shell.get(name)
    const earlier: Lookup = (name) => variables.get(name)
    for (const [name, value] of parseDotenv(text, file, known, earlier)) {
      if (!shell.has(name)) variables.set(name, value)
    }
  }
  return { variables, envFiles: named.length > 0 ? chosen : [] }
}

function defaultFiles(shell: ReadonlyMap<string, string>, directory: string): readonly string[] {
  return /^(?:1|true|t|yes)$/i.test(shell.get('COMPOSE_DISABLE_ENV_FILE') ?? '')
    ? []
    : [join(directory, '.env')]
}
