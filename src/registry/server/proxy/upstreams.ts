/** Which repositories are a cache of somebody else's, and of whose. */
import type { Credentials, RepositoryName } from '../../client/repository.ts'
import { readList, type Section } from '../settings/section.ts'
import { invalidSetting } from '../settings/errors.ts'

export interface Upstream {
  /** Repositories below it are proxied: `hub` for `hub/library/alpine`. Empty: all of them. */
  readonly prefix: string
  /** As in a reference: `docker.io`, `quay.io`, `localhost:5001`. */
  readonly domain: string
  /** Before the paths of the upstream's repositories; empty for its root. */
  readonly path: string
  /** The address begins with `http:`. */
  readonly plain: boolean
  readonly credentials: Credentials
  /** Milliseconds for which the upstream is not asked again where a tag leads. */
  readonly ttl: number
  /** Milliseconds after which a manifest that nobody has pulled is evicted; 0: never. */
  readonly keep: number
}

/** A repository of the cache, and what it is a copy of. */
export interface ProxiedRepository {
  /** Its name here; the same one however it was asked for. */
  readonly name: string
  readonly upstream: Upstream
  readonly source: RepositoryName
}

const DEFAULT_TTL = 5 * 60_000
const DEFAULT_KEEP = 30 * 24 * 3_600_000

const HUB = 'docker.io'
const hubHosts = ['docker.io', 'registry-1.docker.io', 'index.docker.io', 'registry.hub.docker.com']

/**
 * The setting `proxy`: `[{ upstream: "https://registry-1.docker.io", prefix?: "hub", username?, password?,
 * ttl?: "5m", keep?: "30d" }]`.
 */
export function readUpstreams(value: unknown): readonly Upstream[] {
  const upstreams = readList(value, 'proxy', readUpstream)
  const prefixes = new Set(upstreams.map(({ prefix }) => prefix))
  if (prefixes.size < upstreams.length) throw invalidSetting('proxy: two upstreams have the same prefix')
  return upstreams
}

/** `--mirror-of URL`: the whole registry is a cache. */
export function mirrorOf(url: string): Upstream {
  const [upstream] = readUpstreams([{ upstream: url }])
  if (upstream === undefined) throw invalidSetting('--mirror-of: want a URL')
  return upstream
}

function readUpstream(section: Section): Upstream {
  const url = section.url('upstream')
  const prefix = section.text('prefix') ?? ''
  if (prefix !== '' && !/^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/.test(prefix)) {
    throw invalidSetting(`proxy: ${JSON.stringify(prefix)} cannot begin the name of a repository`)
  }
  return {
    prefix,
    domain: hubHosts.includes(url.host) ? HUB : url.host,
    path: url.pathname.replace(/^\/+|\/+$/g, ''),
    plain: url.protocol === 'http:',
    credentials: { username: section.text('username'), password: section.text('password') },
    ttl: section.duration('ttl') ?? DEFAULT_TTL,
    keep: section.duration('keep') ?? DEFAULT_KEEP,
  }
}

export class Upstreams {
  readonly list: readonly Upstream[]

  constructor(list: readonly Upstream[]) {
    // The longest prefix decides.
    this.list = list.toSorted((a, b) => b.prefix.length - a.prefix.length)
  }

  /**
   * `namespace` is `?ns=` of clients that use a registry as mirror of several others: the domain that is meant.
   * Undefined: the repository is one of our own.
   */
  locate(repository: string, namespace?: string): ProxiedRepository | undefined {
    if (namespace !== undefined) return this.#byNamespace(repository, namespace)
    const upstream = this.list.find(
      ({ prefix }) => prefix === '' || repository === prefix || repository.startsWith(`${prefix}/`),
    )
    if (upstream === undefined || repository === upstream.prefix) return undefined
    const path = upstream.prefix === '' ? repository : repository.slice(upstream.prefix.length + 1)
    return proxied(upstream, path)
  }

  #byNamespace(repository: string, namespace: string): ProxiedRepository | undefined {
    const domain = hubHosts.includes(namespace) ? HUB : namespace
    const upstream = this.list.find((candidate) => candidate.domain === domain)
    return upstream === undefined ? undefined : proxied(upstream, repository)
  }
}

function proxied(upstream: Upstream, path: string): ProxiedRepository {
  const full = upstream.domain === HUB && !path.includes('/') ? `library/${path}` : path
  return {
    name: upstream.prefix === '' ? full : `${upstream.prefix}/${full}`,
    upstream,
    source: {
      domain: upstream.domain,
      path: upstream.path === '' ? full : `${upstream.path}/${full}`,
    },
  }
}
