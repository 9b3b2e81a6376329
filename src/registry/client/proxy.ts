/** Proxies from the environment, as curl and Go read it: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, or in lower case. */
import { BlockList, isIP } from 'node:net'
import { classOfHost, unbracketed } from './addresses.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Proxies {
  readonly http: string
  readonly https: string
  readonly no: string
}

/** Empty: none. */
export function proxiesOf(environment: Environment): Proxies {
  const value = (name: string): string => environment[name] || environment[name.toLowerCase()] || ''
  // HTTP_PROXY in upper case can be set by a request to a CGI program: nobody runs us as one.
  return { http: value('HTTP_PROXY'), https: value('HTTPS_PROXY'), no: value('NO_PROXY') }
}

/** The proxy for `url`; undefined: straight. Loopback is never asked for through a proxy. */
export function proxyFor(environment: Environment, url: URL): string | undefined {
  if (classOfHost(url.hostname) === 'loopback') return undefined
  const { http, https, no } = proxiesOf(environment)
  const proxy = url.protocol === 'https:' ? https : http
  if (proxy === '' || isExempt(no, url)) return undefined
  return proxy.includes('://') ? proxy : `http://${proxy}`
}

function isExempt(list: string, url: URL): boolean {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  const host = unbracketed(url.hostname)
  return list
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== '' && matches(entry, host, port))
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true
  if (entry.includes('/')) return inNetwork(entry, host)
  const [, name = entry, wantedPort] =
    /^(.*?)(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? []
  if (wantedPort !== undefined && wantedPort !== port) return false
  const bare = unbracketed(name).replace(/^\*/, '')
  return bare.startsWith('.') ? host.endsWith(bare) : host === bare || host.endsWith(`.${bare}`)
}

function inNetwork(cidr: string, host: string): boolean {
  const [net = '', prefix = ''] = cidr.split('/')
  const family = isIP(net)
  if (family === 0 || isIP(host) === 0 || Number(prefix) > (family === 6 ? 128 : 32)) return false
  const list = new BlockList()
  list.addSubnet(net, Number(prefix), family === 6 ? 'ipv6' : 'ipv4')
  return list.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4')
}
