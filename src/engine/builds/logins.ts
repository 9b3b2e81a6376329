import { HUB_AUTH_KEY, type RegistryAuth } from '#api/registry-auth.ts'

/** Credentials for a registry, by its host as in references; asked for when they are needed. */
export type Logins = (host: string) => Promise<RegistryAuth | undefined>

/** Those that came with a request; Docker Hub has a key of its own. */
export function givenLogins(given: ReadonlyMap<string, RegistryAuth>): Logins {
  return (host) =>
    Promise.resolve(given.get(host) ?? (host === 'docker.io' ? given.get(HUB_AUTH_KEY) : undefined))
}
