import { EngineError } from '#base/errors.ts'
import type { Environment } from '#registry/client/proxy.ts'
import { RegistryHosts } from '#registry/client/hosts.ts'

/** How registries are spoken to; flags and keys as dockerd's, where it has them. */
export interface RegistrySettings {
  /** Of Docker Hub. */
  readonly hubMirrors: readonly string[]
  /** By registry host, `*.example.com` or `default`; in the configuration file only. */
  readonly mirrors: Readonly<Record<string, readonly string[]>>
  /** `host[:port]` or CIDR. */
  readonly insecure: readonly string[]
  /** Token services that any registry may name: `host[:port]` or `*.example.com`. */
  readonly tokenHosts: readonly string[]
  /** Of one request, the first one included. */
  readonly maxDownloadAttempts: number
  /** Over the environment's, under the names that they have there. */
  readonly proxies: Readonly<Record<string, string>>
}

/** How layers are moved. */
export interface TransferSettings {
  /** Layers at a time. */
  readonly maxDownloads: number
  readonly maxUploads: number
  /** Of layers that a registry does not have yet. */
  readonly pushCompression: 'gzip' | 'zstd'
}

export const registryOptions = {
  'registry-mirror': { type: 'string', multiple: true },
  'insecure-registry': { type: 'string', multiple: true },
  'registry-token-host': { type: 'string', multiple: true },
  'max-concurrent-downloads': { type: 'string' },
  'max-concurrent-uploads': { type: 'string' },
  'max-download-attempts': { type: 'string' },
  'push-compression': { type: 'string' },
  'http-proxy': { type: 'string' },
  'https-proxy': { type: 'string' },
  'no-proxy': { type: 'string' },
} as const

/** Keys of the configuration file: lists have plural names there. */
const listKeys = {
  'registry-mirrors': 'registry-mirror',
  'insecure-registries': 'insecure-registry',
  'registry-token-hosts': 'registry-token-host',
} as const
const proxyNames = {
  'http-proxy': 'HTTP_PROXY',
  'https-proxy': 'HTTPS_PROXY',
  'no-proxy': 'NO_PROXY',
} as const
const counts = {
  'max-concurrent-downloads': 6,
  'max-concurrent-uploads': 5,
  'max-download-attempts': 5,
} as const

type Document = Readonly<Record<string, unknown>>

/** The keys of a configuration file that are ours, and all others. */
export function splitRegistryKeys(document: Document): readonly [Document, Record<string, unknown>] {
  const ours = (key: string): boolean =>
    key === 'mirrors' ||
    key === 'proxies' ||
    Object.hasOwn(proxyNames, key) ||
    key === 'push-compression' ||
    Object.hasOwn(listKeys, key) ||
    Object.hasOwn(counts, key)
  const entries = Object.entries(document)
  return [
    Object.fromEntries(entries.filter(([key]) => ours(key))),
    Object.fromEntries(entries.filter(([key]) => !ours(key))),
  ]
}

/** Flags over file over defaults. `invalid_argument` names the key. */
export function registrySettings(flags: Document, file: Document): RegistrySettings {
  const list = (key: keyof typeof listKeys): readonly string[] =>
    texts(flags[listKeys[key]] ?? file[key] ?? [], key)
  const settings = {
    hubMirrors: list('registry-mirrors'),
    mirrors: mirrors(file['mirrors'] ?? {}),
    insecure: list('insecure-registries'),
    tokenHosts: list('registry-token-hosts'),
    maxDownloadAttempts: count('max-download-attempts', flags, file),
    proxies: proxies(flags, file),
  }
  try {
    new RegistryHosts(settings)
  } catch (error) {
    throw invalid((error as Error).message, error)
  }
  return settings
}

/** The environment that proxies are read from. */
export function proxyEnvironment({ proxies: own }: RegistrySettings): Environment {
  return { ...process.env, ...own }
}

/** As `registrySettings`. */
export function transferSettings(flags: Document, file: Document): TransferSettings {
  return {
    maxDownloads: count('max-concurrent-downloads', flags, file),
    maxUploads: count('max-concurrent-uploads', flags, file),
    pushCompression: compression(flags['push-compression'] ?? file['push-compression'] ?? 'gzip'),
  }
}

function mirrors(value: unknown): Readonly<Record<string, readonly string[]>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('"mirrors" must be an object of lists of URLs by registry host')
  }
  return Object.fromEntries(
    Object.entries(value).map(([host, urls]) => [host.toLowerCase(), texts(urls, `mirrors.${host}`)]),
  )
}

/** dockerd has them in a section of the file. */
function proxies(flags: Document, file: Document): Readonly<Record<string, string>> {
  const section = file['proxies'] ?? {}
  if (typeof section !== 'object' || section === null || Array.isArray(section)) {
    throw invalid('"proxies" must be an object with http-proxy, https-proxy and no-proxy')
  }
  const given = { ...section, ...file, ...flags } as Document
  const strange = Object.keys(section).find((key) => !Object.hasOwn(proxyNames, key))
  if (strange !== undefined) throw invalid(`"proxies": unknown key "${strange}"`)
  const entries = Object.entries(proxyNames).flatMap(([key, name]) => {
    const value = given[key]
    if (value === undefined) return []
    if (typeof value === 'string') return [[name, value] as const]
    throw invalid(`"${key}" must be a string`)
  })
  return Object.fromEntries(entries)
}

function texts(value: unknown, key: string): readonly string[] {
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return value
  throw invalid(`"${key}" must be a list of strings`)
}

function compression(name: unknown): 'gzip' | 'zstd' {
  if (name === 'gzip' || name === 'zstd') return name
  throw invalid('"push-compression" must be gzip or zstd')
}

function count(key: keyof typeof counts, flags: Document, file: Document): number {
  const value = flags[key] ?? file[key] ?? counts[key]
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number > 0 && number <= 1000) return number
  throw invalid(`"${key}" must be a number from 1 to 1000`)
}

function invalid(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CONFIG_INVALID', cause })
}
