import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '#base/errors.ts'
import { parseEndpoint, type Endpoint, type TlsMaterial } from '#client/endpoint.ts'
import type { ClientConfig } from './client-config.ts'
import { commandError } from './errors.ts'
import type { Io } from './io.ts'

const DEFAULT_HOST = 'unix:///run/berth/berth.sock'

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
  /** Name of the context, `default` when none was chosen. */
  readonly context: string
  /** Nobody said where to go, so a daemon may be started here. */
  readonly isDefault: boolean
}

/**
 * Whom to talk to: `--context`, `-H`, BERTH_HOST, DOCKER_HOST, DOCKER_CONTEXT, the config file's currentContext, and
 * at last berth's own socket.
 */
export async function resolveTarget(
  flags: ConnectionFlags,
  config: ClientConfig,
  env: Io['env'],
): Promise<Target> {
  if (flags.context !== '' && flags.host.length > 0) {
    throw commandError('conflicting options: cannot specify both --host and --context')
  }
  if (flags.host.length > 1) throw commandError('specify only one -H')
  if (flags.context !== '') return fromContext(flags.context, config, flags, env)

  const host = flags.host[0] ?? nonEmpty(env['BERTH_HOST']) ?? nonEmpty(env['DOCKER_HOST'])
  if (host !== undefined) {
    const endpoint = parseEndpoint(normalHost(host), tlsOf(flags, config, env))
    return { endpoint, context: 'default', isDefault: false }
  }
  const name = nonEmpty(env['DOCKER_CONTEXT']) ?? nonEmpty(config.file.currentContext) ?? 'default'
  return fromContext(name, config, flags, env)
}

interface ContextMeta {
  readonly Endpoints?: { readonly docker?: { readonly Host?: string; readonly SkipTLSVerify?: boolean } }
}

async function fromContext(
  name: string,
  config: ClientConfig,
  flags: ConnectionFlags,
  env: Io['env'],
): Promise<Target> {
  if (name === 'default') {
    return { endpoint: parseEndpoint(DEFAULT_HOST), context: 'default', isDefault: true }
  }
  const { hash } = await import('node:crypto')
  const id = hash('sha256', name)
  const meta = config.readJson('contexts', 'meta', id, 'meta.json') as ContextMeta | undefined
  const endpoint = meta?.Endpoints?.docker
  if (endpoint === undefined) {
    throw commandError(
      `context "${name}" not found: there is no ${join(config.directory, 'contexts', 'meta', id, 'meta.json')}; use --context default`,
    )
  }
  const pem = (file: string): string | undefined => config.readText('contexts', 'tls', id, 'docker', file)
  const ca = pem('ca.pem')
  const cert = pem('cert.pem')
  const key = pem('key.pem')
  const skip = endpoint.SkipTLSVerify === true
  const stored = ca ?? cert ?? key
  const tls = stored === undefined && !skip ? tlsOf(flags, config, env) : { ca, cert, key, verify: !skip }
  return { endpoint: parseEndpoint(endpoint.Host ?? DEFAULT_HOST, tls), context: name, isDefault: false }
}

/** TLS as flags and DOCKER_TLS, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH ask for it; undefined: none. */
function tlsOf(flags: ConnectionFlags, config: ClientConfig, env: Io['env']): TlsMaterial | undefined {
  const verify = flags.tlsverify || nonEmpty(env['DOCKER_TLS_VERIFY']) !== undefined
  if (!verify && !flags.tls && nonEmpty(env['DOCKER_TLS']) === undefined) return undefined
  const directory = nonEmpty(env['DOCKER_CERT_PATH']) ?? config.directory
  const read = (chosen: string, name: string): string | undefined => {
    if (chosen !== '') return readPem(chosen)
    const file = join(directory, name)
    return verify || directory !== config.directory ? readPem(file) : config.readText(name)
  }
  return {
    ca: read(flags.tlscacert, 'ca.pem'),
    cert: read(flags.tlscert, 'cert.pem'),
    key: read(flags.tlskey, 'key.pem'),
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
