import type { RegistryAuth } from '#api/registry-auth.ts'
import type { Credentials } from '#registry/client/repository.ts'

/** Who a client of the API asks as; undefined: anonymous. `auth` is `user:password` in base64, as in config.json. */
export function credentialsOf(auth: RegistryAuth | undefined): Credentials | undefined {
  if (auth === undefined) return undefined
  const [username, password] = userOf(auth)
  const credentials: Credentials = {
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(auth.identitytoken ? { identityToken: auth.identitytoken } : {}),
    ...(auth.registrytoken ? { registryToken: auth.registrytoken } : {}),
  }
  return Object.keys(credentials).length === 0 ? undefined : credentials
}

function userOf({
  username,
  password,
  auth,
}: RegistryAuth): readonly [string | undefined, string | undefined] {
  if (username || password || !auth) return [username ?? undefined, password ?? undefined]
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon === -1 ? [undefined, undefined] : [text.slice(0, colon), text.slice(colon + 1)]
}
