import { text } from 'node:stream/consumers'
import { isKind } from '#base/errors.ts'
import { command, type Context } from '../command.ts'
import { warnOfEnvironment } from '../credentials/environment.ts'
import { CredentialStore, type StoredCredentials } from '../credentials/credential-store.ts'
import { HUB_KEY, typedServer, type RegistryServer } from '../credentials/servers.ts'
import { commandError, errorText } from '../errors.ts'
import { bool, string, type Values } from '../flags.ts'
import { Prompt } from '../prompt.ts'
import { authConfig } from '../registry-auth.ts'

const flags = {
  password: string('Password or token; others can see it here', { short: 'p' }),
  'password-stdin': bool('Read the password or token from stdin'),
  username: string('Name of the account', { short: 'u' }),
} as const

export default command({
  usage: '[OPTIONS] [SERVER]',
  summary: 'Log in to a registry; without SERVER, to Docker Hub',
  min: 0,
  max: 1,
  completes: 'logins',
  flags,
  async run({ args: [name = ''], flags: given, changed }, context) {
    checkFlags(given, changed)
    if (changed.has('password')) {
      context.err('WARNING! A password in --password is seen by others on this host; use --password-stdin.\n')
    }
    const server = typedServer(name)
    warnOfEnvironment(context)
    const store = new CredentialStore(context)
    // Asked in any case: a helper that does not work is found before anything is sent.
    const known = await store.get(server)
    const asked = given.username === '' && given.password === '' && !given['password-stdin']
    if (asked && known !== undefined && (await stillGood(server, known, context))) {
      context.out('\nLogin Succeeded\n')
      return
    }
    const credentials = await askFor(server, given, known, context)
    const { IdentityToken, Status } = await context.client.registries.login(authConfig(server, credentials), {
      signal: context.signal,
    })
    const kept = IdentityToken
      ? { username: credentials.username, identitytoken: IdentityToken }
      : credentials
    const { where, plain } = await store.put(server, kept)
    if (plain) {
      context.err(
        `\nWARNING! The credentials are stored unencrypted in '${where}'.\nA credential helper, named there as "credsStore", keeps them safe.\n`,
      )
    }
    context.out(`\n${Status || 'Login Succeeded'}\n`)
  },
})

function checkFlags(given: Values<typeof flags>, changed: ReadonlySet<string>): void {
  const stdin = given['password-stdin']
  if (stdin && changed.has('password')) {
    throw commandError('conflicting options: cannot specify both --password and --password-stdin')
  }
  if (stdin && given.username === '') {
    throw commandError('the --password-stdin option requires --username to be set')
  }
  for (const flag of ['username', 'password'] as const) {
    if (changed.has(flag) && given[flag] === '') throw commandError(`${flag} is empty`)
  }
}

/** Tries what is stored. False when the registry does not take it any more; it can be entered anew then. */
async function stillGood(
  server: RegistryServer,
  known: StoredCredentials,
  { client, signal, out, err }: Context,
): Promise<boolean> {
  const who = known.username === undefined ? '' : ` [Username: ${known.username}]`
  out(`Authenticating with the stored credentials...${who}\n`)
  try {
    await client.registries.login(authConfig(server, known), { signal })
    const logout = server.key === HUB_KEY ? 'berth logout' : `berth logout ${server.key}`
    out(`To use another account, run '${logout}' first.\n`)
    return true
  } catch (error) {
    if (!isKind(error, 'unauthenticated')) throw error
    err(`The stored credentials are not accepted: ${errorText(error)}\n`)
    return false
  }
}

async function askFor(
  server: RegistryServer,
  given: Values<typeof flags>,
  known: StoredCredentials | undefined,
  context: Context,
): Promise<StoredCredentials & { readonly username: string }> {
  const { io } = context
  if (given['password-stdin']) {
    const password = (await text(io.stdin)).replace(/\r?\n$/, '')
    return { username: given.username, password: required('password', password) }
  }
  if (given.username !== '' && given.password !== '') {
    return { username: given.username, password: given.password }
  }
  if (io.stdin.isTTY !== true) {
    throw commandError(
      'Error: Cannot perform an interactive login from a non TTY device; use --username with --password-stdin',
    )
  }
  const where = server.key === HUB_KEY ? 'Docker Hub' : server.key
  using prompt = new Prompt(context)
  const before = known?.username ?? ''
  const hint = before === '' ? '' : ` (${before})`
  context.out(`Log in to ${where} with your account, or with an access token as password.\n`)
  const username = given.username || (await prompt.line(`Username${hint}: `)).trim() || before
  required('username', username)
  const password = given.password || (await prompt.secret('Password: '))
  return { username, password: required('password', password) }
}

function required(what: string, value: string): string {
  if (value === '') throw commandError(`${what} is empty`)
  return value
}
