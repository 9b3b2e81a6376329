import { readFileSync } from 'node:fs'
import { messageOf } from '#base/errors.ts'
import { commandError, valueError } from '../errors.ts'
import { cut } from '../flags.ts'

/** `key=value` texts as a map; a key alone has an empty value. */
export function keyValues(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [key, value] = cut(text, '=')
      return [key, value ?? '']
    }),
  )
}

/**
 * The lines of an env file or a label file: `KEY=value` or `KEY`, without quotes or expansion; empty lines and those
 * that begin with `#` do not count. A variable without a value is taken from `env`, and left out when it is not there.
 */
export function parseKeyValueFile(
  text: string,
  name: string,
  env: Readonly<Record<string, string | undefined>> | undefined,
): string[] {
  const lines = text.replace(/^\ufeff/, '').split('\n')
  return lines.flatMap((raw, i) => {
    const line = raw.replace(/\r$/, '').trimStart()
    if (line === '' || line.startsWith('#')) return []
    const [key, value] = cut(line, '=')
    const where = `${name}:${i + 1}`
    if (key === '') throw valueError(`invalid line in ${where}: no variable name on line '${line}'`)
    if (/\s/.test(key.trimEnd()) || (value !== undefined && /\s$/.test(key))) {
      throw valueError(`invalid line in ${where}: variable '${key}' contains whitespaces`)
    }
    if (value !== undefined) return [`${key}=${value}`]
    if (env === undefined) return [key.trimEnd()]
    const found = env[key.trimEnd()]
    return found === undefined ? [] : [`${key.trimEnd()}=${found}`]
  })
}

/** The entries of files, then those given on the command line, so that the latter win. */
export function readKeyValues(
  files: readonly string[],
  given: readonly string[],
  env: Readonly<Record<string, string | undefined>> | undefined,
): string[] {
  const fromFiles = files.flatMap((file) => parseKeyValueFile(readText(file), file, env))
  return [...fromFiles, ...given]
}

/**
 * `-e KEY` takes the value from the caller's environment; a variable that is not set there stays a bare name, as in
 * Docker. The last one of a name wins.
 */
export function environment(
  texts: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  const entries = texts.map((text) => {
    const [key, value = env[key]] = cut(text, '=')
    return [key, value === undefined ? key : `${key}=${value}`] as const
  })
  return [...new Map(entries).values()]
}

/** A variable needs a name. */
export function checkEnvironment(text: string): string {
  if (text === '' || text.startsWith('=')) throw valueError(`invalid environment variable: ${text}`)
  return text
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw commandError(`cannot read ${file}: ${messageOf(error)}`, error)
  }
}
