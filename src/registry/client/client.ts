/** Puts the parts of the client together; connections, tokens and what is known about servers are shared. */
import { systemClock, type Clock } from '#base/clock.ts'
import { type Logger, silentLogger } from '#base/logger.ts'
import { Authorizer } from './authorizer.ts'
import { Connections } from './connections.ts'
import { RegistryExchange, type ReplyListener, type ServerMemory } from './exchange.ts'
import { type Endpoint, type HostsConfig, RegistryHosts } from './hosts.ts'
import { login } from './login.ts'
import { MirroredReads, type Reader } from './mirrored.ts'
import type { Environment } from './proxy.ts'
import { RepositoryReads } from './reads.ts'
import type { Credentials, RegistryClient, Repository, RepositoryName } from './repository.ts'
import type { RetryPolicy } from './retries.ts'
import { search } from './search.ts'
import { TokenService } from './token-service.ts'
import { TokenCache } from './tokens.ts'
import { type Limits, Transport } from './transport.ts'
import { RepositoryWrites } from './writes.ts'

export interface RegistryClientOptions extends HostsConfig {
  /** `host[:port]` or `*.example.com` that tokens may be fetched from whatever registry names them. */
  readonly tokenHosts?: readonly string[] | undefined
  /** Of `HOST[:PORT]/*.crt`, `*.cert`, `*.key`; the first that has the host counts. */
  readonly certificateDirectories?: readonly string[] | undefined
  /** Proxies. */
  readonly environment?: Environment | undefined
  /** At a time, to one server. */
  readonly maxConnections?: number | undefined
  /** Of one request, the first one included. */
  readonly attempts?: number | undefined
  readonly limits?: Partial<Limits> | undefined
  readonly userAgent?: string | undefined
  readonly clock?: Clock | undefined
  /** In [0, 1). */
  readonly random?: (() => number) | undefined
  readonly logger?: Logger | undefined
  readonly onReply?: ReplyListener | undefined
  /** For tests: DNS. */
  readonly lookup?: ConstructorParameters<typeof Connections>[0]['lookup']
}

const defaultLimits: Limits = { connect: 15_000, stall: 20_000, answer: 300_000 }
const DEFAULT_ATTEMPTS = 5
/** A mirror that does not answer is given up soon: there is somebody else to ask. */
const MIRROR_ATTEMPTS = 1
const certificateDirectories = ['/etc/berth/certs.d', '/etc/docker/certs.d']

/** Disposing it closes its connections. Throws `invalid_argument` for a setting that cannot be understood. */
export function openRegistryClient(options: RegistryClientOptions = {}): RegistryClient & AsyncDisposable {
  return new Client(options)
}

class Client implements RegistryClient, AsyncDisposable {
  readonly #options: RegistryClientOptions
  readonly #hosts: RegistryHosts
  readonly #clock: Clock
  readonly #connections: Connections
  readonly #transport: Transport
  readonly #tokens: TokenCache
  readonly #logger: Logger
  readonly #memories = new Map<string, ServerMemory>()
  readonly #closing = new AbortController()

  constructor(options: RegistryClientOptions) {
    this.#options = options
    this.#hosts = new RegistryHosts(options)
    this.#clock = options.clock ?? systemClock
    this.#logger = options.logger ?? silentLogger
    this.#tokens = new TokenCache(this.#clock)
    this.#transport = new Transport(this.#clock, { ...defaultLimits, ...options.limits })
    this.#connections = new Connections({
      hosts: this.#hosts,
      certificateDirectories: options.certificateDirectories ?? certificateDirectories,
      environment: options.environment ?? {},
      maxConnections: options.maxConnections ?? 64,
      lookup: options.lookup,
    })
  }

  repository(
    name: RepositoryName,
    { credentials = {} }: { readonly credentials?: Credentials | undefined } = {},
  ): Repository {
    const once = lazily(() => this.#readers(name, credentials))
    const registry = lazily(async () => this.#exchange(await this.#hosts.registry(name.domain), credentials))
    const reads = new MirroredReads(once, this.#clock, this.#logger)
    const writes = new RepositoryWrites(registry, name, this.#retries())
    return {
      name,
      resolve: (...args) => reads.resolve(...args),
      manifest: (...args) => reads.manifest(...args),
      document: (...args) => reads.document(...args),
      blob: (...args) => reads.blob(...args),
      tags: (...args) => reads.tags(...args),
      referrers: (...args) => reads.referrers(...args),
      hasBlob: (...args) => writes.hasBlob(...args),
      mount: (...args) => writes.mount(...args),
      upload: (...args) => writes.upload(...args),
      putManifest: (...args) => writes.putManifest(...args),
    }
  }

  async login(...[domain, credentials, options = {}]: Parameters<RegistryClient['login']>) {
    const endpoint = await this.#hosts.registry(domain)
    const authorizer = this.#authorizer(endpoint, credentials, true)
    return login(this.#exchange(endpoint, credentials, authorizer), authorizer, options)
  }

  async search(...[domain, query, options = {}]: Parameters<RegistryClient['search']>) {
    const endpoint = await this.#hosts.search(domain)
    return search(this.#exchange(endpoint, options.credentials ?? {}), query, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the registry client is closed'))
    this.#connections[Symbol.dispose]()
    await Promise.resolve()
  }

  async #readers(name: RepositoryName, credentials: Credentials): Promise<readonly Reader[]> {
    const endpoints = await this.#hosts.readers(name.domain)
    return endpoints.map((endpoint) => ({
      host: endpoint.host,
      memory: this.#memory(endpoint),
      // Credentials are for the registry that they were given for, not for who stands in for it.
      reads: new RepositoryReads(this.#exchange(endpoint, endpoint.mirror ? {} : credentials), name),
    }))
  }

  #exchange(
    endpoint: Endpoint,
    credentials: Credentials,
    authorizer: Authorizer = this.#authorizer(endpoint, credentials),
  ): RegistryExchange {
    return new RegistryExchange(endpoint, {
      transport: this.#transport,
      connections: this.#connections,
      authorizer,
      memory: this.#memory(endpoint),
      retries: this.#retries(endpoint.mirror ? MIRROR_ATTEMPTS : undefined),
      clock: this.#clock,
      userAgent: this.#options.userAgent ?? 'berth',
      onReply: this.#options.onReply,
    })
  }

  #authorizer(endpoint: Endpoint, credentials: Credentials, offline = false): Authorizer {
    const deps = {
      connections: this.#connections,
      tokens: this.#tokens,
      service: new TokenService(this.#transport, this.#clock),
      tokenHosts: this.#options.tokenHosts ?? [],
      closing: this.#closing.signal,
    }
    return new Authorizer(deps, endpoint, meant(credentials), this.#memory(endpoint), offline)
  }

  #memory({ registry, host, prefix, schemes }: Endpoint): ServerMemory {
    const key = `${registry} ${schemes.join()} ${host}${prefix}`
    const known = this.#memories.get(key)
    if (known !== undefined) return known
    const memory: ServerMemory = { scheme: undefined, challenge: undefined, restsUntil: 0 }
    this.#memories.set(key, memory)
    return memory
  }

  #retries(attempts: number = this.#options.attempts ?? DEFAULT_ATTEMPTS): RetryPolicy {
    return { clock: this.#clock, random: this.#options.random ?? Math.random, attempts }
  }
}

/** Clients write empty texts for what they do not have. */
function meant(credentials: Credentials): Credentials {
  return Object.fromEntries(Object.entries(credentials).filter(([, value]) => value !== ''))
}

/** Made when it is first needed; anew after a failure. */
function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined
      throw error
    })
    return made
  }
}
