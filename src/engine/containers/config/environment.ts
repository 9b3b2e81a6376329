import type { ContainerConfig } from '#api/generated/types.ts'

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The environment of a container's process: Docker's defaults, replaced in place by the configuration's entries. An
 * entry without `=` takes a variable away. HOME is added with the user's home by the runtime-spec.
 */
export function processEnvironment(config: ContainerConfig, hostname: string): string[] {
  const defaults = [
    `PATH=${DEFAULT_PATH}`,
    `HOSTNAME=${hostname}`,
    ...(config.Tty === true ? ['TERM=xterm'] : []),
  ]
  return replaceEnvironment(defaults, config.Env ?? [])
}

/** `base` with `changes` applied; used again for the environment of an exec. */
export function replaceEnvironment(base: readonly string[], changes: readonly string[]): string[] {
  const variables = new Map<string, string>()
  for (const entry of [...base, ...changes]) {
    const separator = entry.indexOf('=')
    if (separator === 0 || entry === '') continue
    if (separator === -1) variables.delete(entry)
    else variables.set(entry.slice(0, separator), entry.slice(separator + 1))
  }
  return [...variables].map(([name, value]) => `${name}=${value}`)
}
