import type { Context } from './command.ts'
import { CredentialStore, type StoredCredentials } from './credentials/credential-store.ts'
import { registryServer, type RegistryServer } from './credentials/servers.ts'

/** What Docker's engines want to see from somebody without credentials, where they insist on the header. */
export const ANONYMOUS = encode({})

/**
 * The `X-Registry-Auth` header for a repository, or for a registry as a whole; undefined: nobody has logged in. A
 * helper that does not work is an error, for then it is not known who asks.
 */
export async function registryAuth(
  { domain, path }: { readonly domain: string; readonly path?: string },
  context: Pick<Context, 'config' | 'io' | 'signal'>,
): Promise<string | undefined> {
  const server = registryServer(domain)
  const credentials = await new CredentialStore(context).get(server, path)
  return credentials === undefined ? undefined : encode(authConfig(server, credentials))
}

/** The `X-Registry-Config` header: who asks each registry that somebody has logged in to. */
export async function registryConfig(context: Pick<Context, 'config' | 'io' | 'signal'>): Promise<string> {
  const store = new CredentialStore(context)
  const entries: [string, object][] = []
  for (const name of await store.servers()) {
    const server = registryServer(name)
    const credentials = await store.get(server)
    if (credentials !== undefined) entries.push([server.key, authConfig(server, credentials)])
  }
  return encode(Object.fromEntries(entries))
}

/** Credentials as the API takes them. */
export function authConfig(
  { key }: RegistryServer,
  credentials: StoredCredentials,
): StoredCredentials & { readonly serveraddress: string } {
  return { ...credentials, serveraddress: key }
}

function encode(document: object): string {
  return Buffer.from(JSON.stringify(document)).toString('base64url')
}
