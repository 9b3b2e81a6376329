/** Connections that are kept, per server and by how far it is trusted. */
import { type LookupOptions, lookup } from 'node:dns'
import { promises as dns } from 'node:dns'
import http from 'node:http'
import https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { EngineError, engineErrorOf } from '#base/errors.ts'
import {
  type AddressClass,
  classOfAddress,
  classOfHost,
  innermost,
  mayLeadTo,
  unbracketed,
} from './addresses.ts'
import { certificatesOf, machineAuthorities } from './certificates.ts'
import { refusedTarget } from './errors.ts'
import type { Endpoint, RegistryHosts } from './hosts.ts'
import { type Environment, proxyFor } from './proxy.ts'

export interface ConnectionsDeps {
  readonly hosts: Pick<RegistryHosts, 'isInsecure'>
  /** Of certificates; the first that has something for a host counts. */
  readonly certificateDirectories: readonly string[]
  readonly environment: Environment
  /** At a time, to one server. */
  readonly maxConnections: number
  /** For tests: DNS. */
  readonly lookup?: typeof lookup | undefined
}

/** Large enough that a fast body is not handed on in small pieces. */
const READ_BUFFER = 1 << 20

export class Connections implements Disposable {
  readonly #deps: ConnectionsDeps
  readonly #agents = new Map<string, Promise<http.Agent>>()

  constructor(deps: ConnectionsDeps) {
    this.#deps = deps
  }

  /** For requests to the endpoint itself. */
  own(endpoint: Endpoint, url: URL): Promise<http.Agent> {
    return this.#agent(`own ${endpoint.registry} ${endpoint.verify} ${url.origin}`, url, async () => ({
      rejectUnauthorized: endpoint.verify,
      secureContext: await this.#trust(url, {
        trust: endpoint.verify ? [endpoint.registry, endpoint.host] : undefined,
        show: endpoint.host,
      }),
      ...(this.#deps.lookup === undefined
        ? {}
        : { lookup: guarded(this.#deps.lookup, () => true, neverRefused) }),
    }))
  }

  /**
   * For a server that the endpoint sent us to. Its addresses are looked at when the connection is made: one further
   * inside than the registry itself is refused, unless `trusted` (its operator named it in a setting).
   */
  async guest(endpoint: Endpoint, url: URL, trusted = false): Promise<http.Agent> {
    if (url.hostname === hostnameOf(endpoint)) return this.own(endpoint, url)
    const from = await this.classOf(endpoint)
    const allowed = (to: AddressClass): boolean => mayLeadTo(trusted ? 'loopback' : from, to)
    const literal = classOfHost(url.hostname)
    if (literal !== undefined && !allowed(literal)) throw refusedAddress(endpoint, url.hostname, url.hostname)
    const key = `guest ${endpoint.registry} ${endpoint.host} ${trusted} ${url.origin}`
    const verify = !(await this.#deps.hosts.isInsecure(url.host))
    return this.#agent(key, url, async () => ({
      rejectUnauthorized: verify,
      secureContext: await this.#trust(url, {
        trust: verify ? [endpoint.registry, endpoint.host, url.host] : undefined,
        show: url.host,
      }),
      // Behind a proxy it is the proxy that resolves names, and its own address is an inner one by right.
      ...(proxyFor(this.#deps.environment, url) === undefined
        ? {
            lookup: guarded(this.#deps.lookup ?? lookup, allowed, (address) =>
              refusedAddress(endpoint, url.hostname, address),
            ),
          }
        : {}),
    }))
  }

  /** Whoever asks next reads the certificates again: somebody may have put the missing one there. */
  forget(url: URL): void {
    for (const [key, agent] of this.#agents) {
      if (!key.endsWith(` ${url.origin}`)) continue
      this.#agents.delete(key)
      close(agent)
    }
  }

  /** How far inside the registry itself is. */
  async classOf(endpoint: Endpoint): Promise<AddressClass> {
    const hostname = hostnameOf(endpoint)
    const known = classOfHost(hostname)
    if (known !== undefined) return known
    const addresses = await this.#addresses(hostname)
    return innermost(addresses.flatMap((address) => classOfAddress(address) ?? []))
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) close(agent)
    this.#agents.clear()
  }

  #agent(
    key: string,
    url: URL,
    options: () => Promise<https.AgentOptions & { readonly lookup?: LookupFunction }>,
  ): Promise<http.Agent> {
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const made = this.#make(url, options)
    this.#agents.set(key, made)
    made.catch(() => this.#agents.delete(key))
    return made
  }

  async #make(url: URL, options: () => Promise<https.AgentOptions>): Promise<http.Agent> {
    const { maxConnections, environment } = this.#deps
    const proxy = proxyFor(environment, url)
    const common = {
      keepAlive: true,
      maxSockets: maxConnections,
      scheduling: 'lifo' as const,
      highWaterMark: READ_BUFFER,
      ...(await options()),
      ...(proxy === undefined ? {} : { proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } }),
    }
    return url.protocol === 'https:' ? new https.Agent(common) : new http.Agent(common)
  }

  /** Authorities of `trust`, undefined where nothing is verified; our own certificate is shown to `show` alone. */
  async #trust(
    url: URL,
    { trust, show }: { readonly trust: readonly string[] | undefined; readonly show: string },
  ): Promise<SecureContext | undefined> {
    if (url.protocol !== 'https:') return undefined
    const { certificateDirectories } = this.#deps
    const of = (host: string) => certificatesOf(certificateDirectories, host)
    const authorities = (await Promise.all((trust ?? []).map(of))).flatMap((found) => found.authorities)
    const { own } = await of(show)
    // Reading all authorities takes tens of milliseconds, which only who verifies has to pay, and once.
    if (trust !== undefined && authorities.length + own.length === 0) return machineTrust()
    try {
      return createSecureContext({
        ca: trust === undefined ? [] : [...machineAuthorities(), ...authorities],
        cert: own.map(({ cert }) => cert),
        key: own.map(({ key }) => key),
        minVersion: 'TLSv1.2',
      })
    } catch (error) {
      throw new EngineError('invalid_argument', `certificates for ${url.host} cannot be used`, {
        code: 'REGISTRY_CERTIFICATES_INVALID',
        cause: error,
      })
    }
  }

  async #addresses(hostname: string): Promise<readonly string[]> {
    const { lookup: given } = this.#deps
    const options = { all: true } as const
    if (given === undefined) {
      return dns.lookup(hostname, options).then(
        (found) => found.map(({ address }) => address),
        () => [], // connecting will tell
      )
    }
    const { promise, resolve } = Promise.withResolvers<readonly string[]>()
    given(hostname, options, (error, found) => resolve(error ? [] : found.map(({ address }) => address)))
    return promise
  }
}

let shared: SecureContext | undefined

function machineTrust(): SecureContext {
  shared ??= createSecureContext({ ca: [...machineAuthorities()], minVersion: 'TLSv1.2' })
  return shared
}

/** `answer`; where it failed for certificates, they are read again the next time. */
export async function forgetting<T>(connections: Connections, url: URL, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const code = engineErrorOf(error)?.code
    if (code === 'REGISTRY_CERTIFICATE' || code === 'REGISTRY_TLS') connections.forget(url)
    throw error
  }
}

function close(agent: Promise<http.Agent>): void {
  agent.then(
    (made) => made.destroy(),
    () => undefined, // never came to be; whoever asked has the error
  )
}

function hostnameOf({ host }: Endpoint): string {
  return new URL(`https://${host}`).hostname
}

/** DNS whose answers are looked at before anybody connects to them. */
function guarded(
  ask: typeof lookup,
  allowed: (to: AddressClass) => boolean,
  refusal: (address: string) => EngineError,
): LookupFunction {
  return (hostname: string, options: LookupOptions, callback) => {
    ask(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 0)
      const bad = found.find(({ address }) => !allowed(classOfAddress(address) ?? 'forbidden'))
      if (bad !== undefined) return callback(refusal(bad.address), '', 0)
      if (options.all === true) return callback(null, found)
      const [first] = found
      return callback(null, first?.address ?? '', first?.family ?? isIP(first?.address ?? ''))
    })
  }
}

function neverRefused(address: string): EngineError {
  throw new Error(`unreachable: ${address}`)
}

function refusedAddress(endpoint: Endpoint, hostname: string, address: string): EngineError {
  const at = unbracketed(hostname) === address ? '' : ` at ${address}`
  return refusedTarget(
    `registry ${endpoint.registry} sent us to ${unbracketed(hostname)}${at}, an address inside of this network: refused; ` +
      `if that is meant, list the host in "registry-token-hosts" and restart the engine`,
  )
}
