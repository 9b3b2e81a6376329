import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '#base/errors.ts'
import { parseEndpoint, type Endpoint, type TlsMaterial } from '#client/endpoint.ts'
import type { ClientConfig } from './client-config.ts'
import { commandError } from './errors.ts'
import type { Io } from './io.ts'

export const DEFAULT_HOST = 'unix:///run/berth/berth.sock'

/** The flags before the command, as far as they decide whom to talk to. */
export interface ConnectionFlags {
  readonly host: readonly string[]
  readonly context: string
  readonly tls: boolean
  readonly tlsverify: boolean
  readonly tlscacert: string
  readonly tlscert: string
  readonly tlskey: string
}

export interface Target {
  readonly endpoint: Endpoint
  /** Nobody said where to go, so a daemon may be started here. */
  readonly isDefault: boolean
}

/** Which context is in use, and what decided it. */
export interface ContextInUse {
  readonly name: string
  /** An address that was given instead of a context; `default` is in use then. */
  readonly host: string | undefined
  /** The environment variable that gave the address. */
  readonly variable: string | undefined
}

/** `--context`, `-H`, BERTH_HOST, DOCKER_HOST, DOCKER_CONTEXT, the config file's currentContext, and at last `default`. */
export function contextInUse(flags: ConnectionFlags, config: ClientConfig, env: Io['env']): ContextInUse {
  if (flags.context !== '' && flags.host.length > 0) {
    throw commandError('conflicting options: cannot specify both --host and --context')
  }
  if (flags.host.length > 1) throw commandError('specify only one -H')
  if (flags.context !== '') return { name: flags.context, host: undefined, variable: undefined }
  const [host] = flags.host
  if (host !== undefined) return { name: 'default', host: normalHost(host), variable: undefined }
  const variable = ['BERTH_HOST', 'DOCKER_HOST'].find((name) => nonEmpty(env[name]) !== undefined)
  if (variable !== undefined) {
    return { name: 'default', host: normalHost(env[variable] ?? ''), variable }
  }
  const name = nonEmpty(env['DOCKER_CONTEXT']) ?? nonEmpty(config.file.currentContext) ?? 'default'
  return { name, host: undefined, variable: undefined }
}

/** Whom to talk to in that context. */
export async function resolveTarget(
  { name, host }: ContextInUse,
  flags: ConnectionFlags,
  config: ClientConfig,
  env: Io['env'],
): Promise<Target> {
  if (name === 'default') {
    const endpoint = parseEndpoint(host ?? DEFAULT_HOST, tlsOf(flags, config, env))
    return { endpoint, isDefault: host === undefined }
  }
  const { ContextStore } = await import('./contexts/context-store.ts')
  const store = new ContextStore(config)
  const found = store.find(name)
  const docker = found?.document.Endpoints.docker
  if (found === undefined || docker === undefined) {
    const file = join(store.paths(name).meta, 'meta.json')
    throw commandError(`context "${name}" not found: there is no ${file}; use --context default`)
  }
  const stored = { ca: found.tls['ca.pem'], cert: found.tls['cert.pem'], key: found.tls['key.pem'] }
  const skip = docker.SkipTLSVerify === true
  const hasTls = skip || Object.keys(found.tls).length > 0
  const tls = hasTls ? { ...stored, verify: !skip } : tlsOf(flags, config, env)
  return { endpoint: parseEndpoint(nonEmpty(docker.Host) ?? DEFAULT_HOST, tls), isDefault: false }
}

/** TLS as flags and DOCKER_TLS, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH ask for it; undefined: none. */
function tlsOf(flags: ConnectionFlags, config: ClientConfig, env: Io['env']): TlsMaterial | undefined {
  const verify = flags.tlsverify || nonEmpty(env['DOCKER_TLS_VERIFY']) !== undefined
  if (!verify && !flags.tls && nonEmpty(env['DOCKER_TLS']) === undefined) return undefined
  const directory = nonEmpty(env['DOCKER_CERT_PATH']) ?? config.directory
  const usual = (name: string): string => join(directory, name)
  const ownCa = verify || directory !== config.directory
  const orAbsent = (chosen: string, name: string): string | undefined =>
    chosen === '' && !existsSync(usual(name)) ? undefined : readPem(chosen || usual(name))
  return {
    ca: ownCa ? readPem(flags.tlscacert || usual('ca.pem')) : orAbsent(flags.tlscacert, 'ca.pem'),
    // Not every server asks who it is.
    cert: orAbsent(flags.tlscert, 'cert.pem'),
    key: orAbsent(flags.tlskey, 'key.pem'),
    verify,
  }
}

function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw commandError(`cannot read the TLS file ${file}: ${messageOf(error)}`, error)
  }
}

/** `-H` also takes a bare path, and a bare HOST:PORT. */
function normalHost(host: string): string {
  if (host.startsWith('/')) return `unix://${host}`
  return host.includes('://') ? host : `tcp://${host}`
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text
}
