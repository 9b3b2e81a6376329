import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { Context } from './command.ts'
import { commandError } from './errors.ts'
import { cut } from './flags.ts'

const HUB = 'https://index.docker.io/v1/'

/** The `X-Registry-Auth` header for a registry from Docker's config file and its helpers; undefined: anonymous. */
export async function registryAuth(domain: string, { config }: Context): Promise<string | undefined> {
  const server = domain === 'docker.io' ? HUB : domain
  const { auths = {}, credHelpers = {}, credsStore } = config.file
  const helper = credHelpers[server] ?? credsStore
  const credentials = helper === undefined ? fromFile(auths[server]) : await fromHelper(helper, server)
  if (credentials === undefined) return undefined
  return Buffer.from(JSON.stringify({ ...credentials, serveraddress: server })).toString('base64url')
}

function fromFile(
  entry: { readonly auth?: string; readonly identitytoken?: string } | undefined,
): object | undefined {
  if (entry === undefined) return undefined
  if (entry.identitytoken !== undefined && entry.identitytoken !== '')
    return { identitytoken: entry.identitytoken }
  if (entry.auth === undefined) return undefined
  const [username, password = ''] = cut(Buffer.from(entry.auth, 'base64').toString(), ':')
  return { username, password }
}

/** `docker-credential-NAME get`, with the server on its stdin. */
async function fromHelper(name: string, server: string): Promise<object | undefined> {
  const program = `docker-credential-${name}`
  const child = spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = once(child, 'close').catch((error: unknown) => {
    throw commandError(`cannot run ${program}, which the client configuration names for ${server}`, error)
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(server)
  const [output, [code]] = await Promise.all([text(child.stdout), ended])
  // A helper fails when it knows nothing about the server.
  if (code !== 0) return undefined
  const { Username, Secret } = JSON.parse(output) as { Username?: string; Secret?: string }
  return Username === '<token>' ? { identitytoken: Secret } : { username: Username, password: Secret }
}
