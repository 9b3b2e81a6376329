import { join } from 'node:path'
import type { ClientConfig, ConfigAuth } from '../client-config.ts'
import type { Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { cut } from '../flags.ts'
import { type Document, updateConfig } from './config-update.ts'
import { AUTH_VARIABLE } from './environment.ts'
import { CredentialHelper } from './helper.ts'
import { fitOf, hostOf, HUB_KEY, registryServer, scopeOf, type RegistryServer } from './servers.ts'

/** Whom a registry knows. One of: name and password, an identity token (for the token service), a registry token. */
export interface StoredCredentials {
  readonly username?: string
  readonly password?: string
  readonly identitytoken?: string
  readonly registrytoken?: string
}

/** The username by which helpers mark identity tokens. */
const TOKEN_USER = '<token>'

/**
 * Credentials for registries, where Docker keeps them: in `config.json` (`auths`), or with helper programs that it
 * names (`credHelpers` for single registries, `credsStore` for all others). DOCKER_AUTH_CONFIG, a JSON object with
 * `auths`, goes before both and is only read.
 */
export class CredentialStore {
  readonly #config: ClientConfig
  readonly #context: Pick<Context, 'io' | 'signal'>

  constructor({ config, io, signal }: Pick<Context, 'config' | 'io' | 'signal'>) {
    this.#config = config
    this.#context = { io, signal }
  }

  /** Undefined: nobody has logged in. `path` is the repository they are for, which keys with a namespace are about. */
  async get(server: RegistryServer, path?: string): Promise<StoredCredentials | undefined> {
    const given = bestOf(this.#fromEnvironment(), server, path)
    if (given !== undefined) return given
    const helper = this.#helperFor(server)
    if (helper === undefined) return bestOf(this.#config.file.auths ?? {}, server, path)
    const found = await helper.get(server.key)
    if (found === undefined) return undefined
    const { username, secret } = found
    return username === TOKEN_USER ? { identitytoken: secret } : { username, password: secret }
  }

  /** Where it was put; `plain` when everybody who can read that file can read the password. */
  async put(
    server: RegistryServer,
    credentials: StoredCredentials,
  ): Promise<{ readonly where: string; readonly plain: boolean }> {
    const { username = '', password = '', identitytoken } = credentials
    const helper = this.#helperFor(server)
    if (helper === undefined) {
      const auth = Buffer.from(`${username}:${identitytoken === undefined ? password : ''}`).toString(
        'base64',
      )
      await this.#updateAuths((auths) => {
        // Otherwise an entry of the same registry under another spelling would live on.
        for (const key of keysOf(auths, server)) delete auths[key]
        auths[server.key] = { auth, ...(identitytoken === undefined ? {} : { identitytoken }) }
      })
      return { where: this.#file, plain: true }
    }
    await helper.store(
      server.key,
      identitytoken === undefined
        ? { username, secret: password }
        : { username: TOKEN_USER, secret: identitytoken },
    )
    // Tells other programs where there is something to ask the helper for; and no password stays behind.
    await this.#updateAuths((auths) => {
      for (const key of keysOf(auths, server)) delete auths[key]
      auths[server.key] = {}
    })
    return { where: helper.program, plain: false }
  }

  /** False when there was nothing. */
  async erase(server: RegistryServer): Promise<boolean> {
    const erased = (await this.#helperFor(server)?.erase(server.key)) ?? false
    if (keysOf(this.#config.file.auths ?? {}, server).length === 0) return erased
    await this.#updateAuths((auths) => {
      for (const key of keysOf(auths, server)) delete auths[key]
    })
    return true
  }

  /** The registries that somebody has logged in to, as people name them. */
  async servers(): Promise<string[]> {
    const { auths = {}, credHelpers = {}, credsStore } = this.#config.file
    const helpers = new Set([...(credsStore ? [credsStore] : []), ...Object.values(credHelpers)])
    const lists = await Promise.all(
      [...helpers].map((name) => this.#helper(name, `the helper ${name}`).list()),
    )
    const keys = [
      ...Object.keys(this.#fromEnvironment()),
      ...Object.keys(auths),
      ...lists.flatMap((list) => Object.keys(list)),
    ]
    return [...new Set(keys.map((key) => (registryServer(key).key === HUB_KEY ? 'docker.io' : hostOf(key))))]
  }

  get #file(): string {
    return join(this.#config.directory, 'config.json')
  }

  #helperFor({ key, hosts }: RegistryServer): CredentialHelper | undefined {
    const { credHelpers = {}, credsStore } = this.#config.file
    const own = [key, ...hosts].find((name) => Object.hasOwn(credHelpers, name))
    const name = own === undefined ? credsStore : credHelpers[own]
    if (name === undefined || name === '') return undefined
    const setting = own === undefined ? '"credsStore"' : `"credHelpers" for ${own}`
    return this.#helper(name, `${setting} in ${this.#file}`)
  }

  #helper(name: string, origin: string): CredentialHelper {
    const { io, signal } = this.#context
    return new CredentialHelper({ name, origin, env: io.env, signal })
  }

  async #updateAuths(change: (auths: Document) => void): Promise<void> {
    await updateConfig(this.#config.directory, (document) => {
      const { auths } = document
      const changed: Document = typeof auths === 'object' && auths !== null ? { ...auths } : {}
      change(changed)
      document['auths'] = changed
    })
    this.#config.forget()
  }

  #fromEnvironment(): Readonly<Record<string, ConfigAuth>> {
    const text = this.#context.io.env[AUTH_VARIABLE]
    if (text === undefined || text === '') return {}
    try {
      const { auths } = JSON.parse(text) as { auths?: Record<string, ConfigAuth> }
      return auths ?? {}
    } catch (error) {
      // Not the parser's message: it may quote a password.
      throw commandError(`${AUTH_VARIABLE} is no JSON object with "auths"; correct or unset it`, error)
    }
  }
}

/** The entry that fits best, if there is something in it. */
function bestOf(
  auths: Readonly<Record<string, ConfigAuth>>,
  server: RegistryServer,
  path: string | undefined,
): StoredCredentials | undefined {
  const fitting = Object.entries(auths)
    .map(([key, entry]) => ({ key, entry, fit: fitOf(key, server, path) ?? -1 }))
    .filter(({ fit }) => fit >= 0)
    // The key as Docker writes it goes before other spellings.
    .sort((a, b) => b.fit - a.fit || Number(b.key === server.key) - Number(a.key === server.key))
  for (const { key, entry } of fitting) {
    const credentials = credentialsOf(key, entry)
    if (credentials !== undefined) return credentials
  }
  return undefined
}

/** Every spelling under which a registry as a whole is filed. */
function keysOf(auths: object, server: RegistryServer): string[] {
  return Object.keys(auths).filter(
    (key) => scopeOf(key) === '' && fitOf(key, server, undefined) !== undefined,
  )
}

function credentialsOf(key: string, entry: ConfigAuth): StoredCredentials | undefined {
  const { identitytoken, registrytoken } = entry
  const { username = '', password = '' } = accountOf(key, entry)
  const name = username === '' ? {} : { username }
  if (identitytoken) return { ...name, identitytoken }
  if (registrytoken) return { ...name, registrytoken }
  return username === '' ? undefined : { username, password }
}

/** Name and password, of which a token leaves the password empty. */
function accountOf(
  key: string,
  { auth = '', username, password }: ConfigAuth,
): { readonly username?: string | undefined; readonly password?: string | undefined } {
  if (auth === '') return { username, password }
  const [name, secret] = cut(Buffer.from(auth, 'base64').toString(), ':')
  if (name === '' || secret === undefined) {
    throw commandError(`the client configuration has an unreadable "auth" for ${key}; log in again`)
  }
  return { username: name, password: secret.replace(/\0+$/, '') }
}
