/** Which servers answer for the domain of a reference, and how far they are trusted. */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { EngineError } from '#base/errors.ts'
import { classOfHost, unbracketed } from './addresses.ts'

export interface HostsConfig {
  /** Mirrors of Docker Hub, as Docker's `registry-mirrors`. */
  readonly hubMirrors?: readonly string[] | undefined
  /** By registry host, `*.example.com`, or `default`; each is told by `?ns=` which registry is meant. */
  readonly mirrors?: Readonly<Record<string, readonly string[]>> | undefined
  /** `host[:port]` or CIDR: plain HTTP and unknown certificates are taken from these. */
  readonly insecure?: readonly string[] | undefined
}

export type Scheme = 'https' | 'http'

export interface Endpoint {
  /** The domain of references; what people call it. */
  readonly registry: string
  /** Host with an optional port that is connected to. */
  readonly host: string
  /** What stands before `/v2/`; empty, or begins with a slash. */
  readonly prefix: string
  /** Tried in this order; what answers first is kept. */
  readonly schemes: readonly Scheme[]
  /** False: an insecure registry. */
  readonly verify: boolean
  /** A mirror is read from, anonymously, and never written to. */
  readonly mirror: boolean
  /** `?ns=` for a mirror of several registries. */
  readonly namespace: string | undefined
}

const HUB = 'docker.io'
const HUB_HOST = 'registry-1.docker.io'
const HUB_SEARCH = 'index.docker.io'

export class RegistryHosts {
  readonly #config: HostsConfig
  readonly #insecureNetworks: BlockList
  readonly #networks: readonly string[]
  readonly #insecureHosts: ReadonlySet<string>

  /** `invalid_argument` names the setting that cannot be understood. */
  constructor(config: HostsConfig = {}) {
    this.#config = config
    const entries = (config.insecure ?? []).map(insecureEntry)
    this.#networks = entries.filter((entry) => entry.includes('/'))
    this.#insecureNetworks = networksOf(this.#networks)
    this.#insecureHosts = new Set(entries.filter((entry) => !entry.includes('/')))
    for (const url of [config.hubMirrors ?? [], ...Object.values(config.mirrors ?? {})].flat()) mirrorUrl(url)
  }

  /** The registry itself, which alone is written to and shown credentials. */
  async registry(domain: string): Promise<Endpoint> {
    const insecure = await this.isInsecure(domain)
    return endpoint({
      registry: domain,
      host: domain === HUB ? HUB_HOST : domain,
      schemes: insecure ? ['https', 'http'] : ['https'],
      verify: !insecure,
    })
  }

  /** Where `/v1/search` is. */
  async search(domain: string): Promise<Endpoint> {
    const registry = await this.registry(domain)
    return domain === HUB ? { ...registry, host: HUB_SEARCH } : registry
  }

  /** Where to read, in order; the registry itself is the last. */
  async readers(domain: string): Promise<readonly Endpoint[]> {
    const mirrors = this.mirrorsOf(domain).map(({ url, namespace }) => this.#mirror(domain, url, namespace))
    return [...(await Promise.all(mirrors)), await this.registry(domain)]
  }

  mirrorsOf(domain: string): readonly { readonly url: string; readonly namespace: string | undefined }[] {
    const configured = mirrorsFor(this.#config.mirrors ?? {}, domain)
    return [
      ...configured.map((url) => ({ url, namespace: domain })),
      ...(domain === HUB ? (this.#config.hubMirrors ?? []) : []).map((url) => ({
        url,
        namespace: undefined,
      })),
    ]
  }

  /** Loopback always is; a name is looked up only where networks are configured. */
  async isInsecure(host: string): Promise<boolean> {
    const { hostname } = new URL(`https://${host}`)
    if (this.#insecureHosts.has(host.toLowerCase()) || this.#insecureHosts.has(hostname)) return true
    if (classOfHost(hostname) === 'loopback') return true
    if (host === HUB || this.#networks.length === 0) return false
    return (await addressesOf(unbracketed(hostname))).some((address) =>
      this.#insecureNetworks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'),
    )
  }

  async #mirror(domain: string, url: string, namespace: string | undefined): Promise<Endpoint> {
    const { host, pathname, protocol } = mirrorUrl(url)
    const insecure = await this.isInsecure(host)
    const plain = protocol === 'http:'
    return endpoint({
      registry: domain,
      host,
      prefix: pathname.replace(/\/+$/, ''),
      schemes: plain ? ['http'] : ['https'],
      verify: !insecure && !plain,
      mirror: true,
      namespace,
    })
  }
}

function endpoint(
  fields: Pick<Endpoint, 'registry' | 'host' | 'schemes' | 'verify'> & Partial<Endpoint>,
): Endpoint {
  return { prefix: '', mirror: false, namespace: undefined, ...fields }
}

/** The exact host, then the longest wildcard, then `default`. */
function mirrorsFor(mirrors: Readonly<Record<string, readonly string[]>>, domain: string): readonly string[] {
  const exact = mirrors[domain]
  if (exact !== undefined) return exact
  const [wildcard] = Object.keys(mirrors)
    .filter((key) => key.startsWith('*.') && domain.endsWith(key.slice(1)))
    .toSorted((a, b) => b.length - a.length)
  return mirrors[wildcard ?? 'default'] ?? []
}

function mirrorUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw invalid(`invalid mirror: "${text}" is not an http or https URL`)
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(`invalid mirror: username/password not allowed in URI "${url.protocol}//${url.host}"`)
  }
  if (url.search !== '' || url.hash !== '')
    throw invalid(`invalid mirror: query or fragment at end of the URI "${text}"`)
  return url
}

function insecureEntry(text: string): string {
  if (text.includes('://')) {
    throw invalid(`insecure registry ${text} should not contain '://'`)
  }
  if (!text.includes('/')) {
    if (URL.parse(`https://${text}`) !== null) return text.toLowerCase()
    throw invalid(`insecure registry ${text} is not valid: want host[:port] or a CIDR`)
  }
  const [net = '', prefix = ''] = text.split('/')
  const bits = isIP(net) === 6 ? 128 : 32
  if (isIP(net) !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits) return text
  throw invalid(`insecure registry ${text} is not valid: want host[:port] or a CIDR`)
}

function networksOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [net = '', prefix = ''] = cidr.split('/')
    list.addSubnet(net, Number(prefix), isIP(net) === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

async function addressesOf(name: string): Promise<readonly string[]> {
  if (isIP(name) !== 0) return [name]
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address)
  } catch {
    return [] // a name without address is in no network; connecting to it will say what is wrong
  }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'REGISTRY_SETTING_INVALID' })
}
