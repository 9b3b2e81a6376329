import { commandError } from '../errors.ts'

/** Under which key Docker keeps the credentials of Docker Hub. */
export const HUB_KEY = 'https://index.docker.io/v1/'

/** Names of Docker Hub itself; nothing that merely begins or ends like them is one. */
const hubHosts: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io'])

const HOST = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?$/

/** A registry as credentials are kept for it. */
export interface RegistryServer {
  /** What it is filed under, and what helpers are asked for: HUB_KEY, else the host with its port. */
  readonly key: string
  /** Hosts, with ports, that mean this registry and no other; compared as they are. */
  readonly hosts: ReadonlySet<string>
}

/** The registry that a person names (`ghcr.io`, `https://host:5000/v2/`; nothing is Docker Hub), or a domain of a reference. */
export function registryServer(text: string): RegistryServer {
  const host = hostOf(text)
  if (host === '' || hubHosts.has(host)) return { key: HUB_KEY, hosts: hubHosts }
  return { key: host, hosts: new Set([host]) }
}

/** What a person typed as a registry, checked: a slip must not become a key of its own in the configuration. */
export function typedServer(text: string): RegistryServer {
  if (text !== '' && !HOST.test(hostOf(text))) {
    throw commandError(`${JSON.stringify(text)} names no registry; give its host, with a port if it has one`)
  }
  return registryServer(text)
}

/** The host, with its port, of a server address or of a key of `auths`. */
export function hostOf(text: string): string {
  const [host = ''] = text.replace(/^https?:\/\//, '').split('/', 1)
  return host
}

/**
 * How well a key of `auths` fits a repository of `server`; undefined: not at all. A key is the registry's own, its host,
 * a URL at its host (old Dockers wrote the address of the API), or `host/namespace`, which holds for the repositories
 * below that path alone. A longer path fits better.
 */
export function fitOf(key: string, server: RegistryServer, path: string | undefined): number | undefined {
  if (key === server.key) return 0
  if (!server.hosts.has(hostOf(key))) return undefined
  const scope = scopeOf(key)
  if (scope === '') return 0
  return path !== undefined && `${path}/`.startsWith(`${scope}/`) ? scope.length : undefined
}

/** The namespace that a key is limited to; empty: none. */
export function scopeOf(key: string): string {
  if (/^https?:\/\//.test(key)) return ''
  const path = key.split('/').slice(1).join('/').replace(/\/+$/, '')
  return path === 'v1' || path === 'v2' ? '' : path
}
