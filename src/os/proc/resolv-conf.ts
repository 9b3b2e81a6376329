import { readFile } from 'node:fs/promises'
import { isErrno } from '#base/errors.ts'

/** resolv.conf(5), as far as a container is given it. */
export interface ResolvConf {
  readonly nameservers: readonly string[]
  readonly search: readonly string[]
  readonly options: readonly string[]
}

const FILE = '/etc/resolv.conf'
/** The servers behind systemd-resolved's stub at 127.0.0.53, which only the host itself reaches. */
const UPSTREAM = '/run/systemd/resolve/resolv.conf'

/** The host's resolver configuration, with the real servers where systemd-resolved is in use. Empty without a file. */
export async function hostResolvConf(
  read: (path: string) => Promise<string> = (path) => readFile(path, 'utf8'),
): Promise<ResolvConf> {
  const conf = parseResolvConf(await textOf(read, FILE))
  if (conf.nameservers.length !== 1 || conf.nameservers[0] !== '127.0.0.53') return conf
  const upstream = parseResolvConf(await textOf(read, UPSTREAM))
  return upstream.nameservers.length === 0 ? conf : upstream
}

/** Comments begin with # or ; — the last `search` or `domain` line counts, `options` add up. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = []
  let search: string[] = []
  const options: string[] = []
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    if (keyword === 'nameserver' && values[0] !== undefined) nameservers.push(values[0])
    else if (keyword === 'search' || keyword === 'domain') search = values
    else if (keyword === 'options') options.push(...values)
  }
  return { nameservers, search, options }
}

/**
 * What a container on a bridge without a name server of ours gets: the host's servers that it can reach, or
 * Google's when there is none, as Docker does.
 */
export function reachableServers(host: ResolvConf, options: { readonly ipv6: boolean }): string[] {
  const reachable = host.nameservers.filter(
    (server) => !/^127\.|^::1$/.test(server) && (options.ipv6 || !server.includes(':')),
  )
  if (reachable.length > 0) return reachable
  return ['8.8.8.8', '8.8.4.4', ...(options.ipv6 ? ['2001:4860:4860::8888', '2001:4860:4860::8844'] : [])]
}

async function textOf(read: (path: string) => Promise<string>, path: string): Promise<string> {
  try {
    return await read(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return ''
    throw error
  }
}
