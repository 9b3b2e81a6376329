import { readFile } from 'node:fs/promises'
import { jsonProblemOf } from '#base/errors.ts'
import { type AccessSettings, readAccessSettings } from './access/settings.ts'
import { type Limits, readLimits } from './limits.ts'
import { operationsSettings } from './operations/operations.ts'
import { invalidSetting } from './settings/errors.ts'

/** A registry, as flags and the configuration file describe it. */
export interface RegistryConfig {
  readonly listen: { readonly host: string; readonly port: number }
  readonly root: string
  readonly htpasswd: string | undefined
  readonly tls:
    | { readonly cert: string; readonly key: string; readonly clientCa: string | undefined }
    | undefined
  /** A registry that is cached here. */
  readonly mirrorOf: string | undefined
  /** Listens where strangers could write to it. */
  readonly insecureOpen: boolean
  /** Nothing can be pushed or deleted. */
  readonly readOnly: boolean
  readonly access: AccessSettings
  readonly limits: Limits
  /** What operations/operations.ts reads. */
  readonly settings: Readonly<Record<string, unknown>>
}

/** What the command line says; it wins over the file. */
export interface RegistryFlags {
  readonly listen?: string | undefined
  readonly root?: string | undefined
  readonly htpasswd?: string | undefined
  readonly tlsCert?: string | undefined
  readonly tlsKey?: string | undefined
  readonly tlsClientCa?: string | undefined
  readonly mirrorOf?: string | undefined
  readonly insecureOpen?: boolean | undefined
  readonly config?: string | undefined
}

/** Keys with the meaning of the flag of that name. */
const flagKeys = {
  listen: 'listen',
  root: 'root',
  htpasswd: 'htpasswd',
  'tls-cert': 'tlsCert',
  'tls-key': 'tlsKey',
  'tls-client-ca': 'tlsClientCa',
  'mirror-of': 'mirrorOf',
} as const

export const defaults = { listen: '127.0.0.1:5000', root: '/var/lib/berth-registry' } as const

/** Reads the file that `--config` names, and puts both together. Throws `invalid_argument` that names the key. */
export async function readRegistryConfig(flags: RegistryFlags): Promise<RegistryConfig> {
  const file = flags.config === undefined ? {} : await readDocument(flags.config)
  return registryConfig(flags, file)
}

export function registryConfig(
  flags: RegistryFlags,
  file: Readonly<Record<string, unknown>> = {},
): RegistryConfig {
  const own = [...Object.keys(flagKeys), 'insecure-open', 'read-only', 'access', 'limits']
  const known = new Set([...own, ...operationsSettings])
  const unknown = Object.keys(file).find((key) => !known.has(key))
  if (unknown !== undefined) {
    throw invalidSetting(`${unknown} is not a setting; known are ${[...known].toSorted().join(', ')}`)
  }
  const text = (key: keyof typeof flagKeys): string | undefined => flags[flagKeys[key]] ?? textOf(file, key)
  return {
    listen: parseListen(text('listen') ?? defaults.listen),
    root: text('root') ?? defaults.root,
    htpasswd: text('htpasswd'),
    tls: tlsOf(text('tls-cert'), text('tls-key'), text('tls-client-ca')),
    mirrorOf: text('mirror-of'),
    insecureOpen: flags.insecureOpen ?? flagOf(file, 'insecure-open'),
    readOnly: flagOf(file, 'read-only'),
    access: file['access'] === undefined ? {} : readAccessSettings(file['access']),
    limits: readLimits(file['limits']),
    settings: Object.fromEntries(Object.entries(file).filter(([key]) => !own.includes(key))),
  }
}

/** `HOST:PORT`, `[IPv6]:PORT`, `:PORT` and `PORT` (every address). */
export function parseListen(text: string): RegistryConfig['listen'] {
  const [, bracketed, plain, port] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):)?(\d{1,5})$/.exec(text) ?? []
  if (port === undefined || Number(port) > 65_535) {
    throw invalidSetting(`listen: want ADDRESS:PORT, such as ${defaults.listen}, not ${JSON.stringify(text)}`)
  }
  return { host: bracketed ?? plain ?? '', port: Number(port) }
}

function tlsOf(
  cert: string | undefined,
  key: string | undefined,
  clientCa: string | undefined,
): RegistryConfig['tls'] {
  if (cert === undefined && key === undefined && clientCa === undefined) return undefined
  if (cert === undefined || key === undefined) throw invalidSetting('TLS takes both tls-cert and tls-key')
  return { cert, key, clientCa }
}

async function readDocument(path: string): Promise<Readonly<Record<string, unknown>>> {
  let document: unknown
  try {
    document = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw invalidSetting(`cannot read ${path}: ${jsonProblemOf(error)}`)
  }
  if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
    return document as Readonly<Record<string, unknown>>
  }
  throw invalidSetting(`${path}: want a JSON object`)
}

function textOf(file: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = file[key]
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw invalidSetting(`${key}: want a non-empty string`)
}

function flagOf(file: Readonly<Record<string, unknown>>, key: string): boolean {
  const value = file[key] ?? false
  if (typeof value === 'boolean') return value
  throw invalidSetting(`${key}: want true or false`)
}
