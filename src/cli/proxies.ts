import { addressOf } from '#client/endpoint.ts'
import type { Context } from './command.ts'

const names: Readonly<Record<string, string>> = {
  httpProxy: 'HTTP_PROXY',
  httpsProxy: 'HTTPS_PROXY',
  noProxy: 'NO_PROXY',
  ftpProxy: 'FTP_PROXY',
  allProxy: 'ALL_PROXY',
}

/**
 * What `proxies` of the configuration gives to builds and containers of the engine in use, or of every engine (`default`).
 * Programs read the one spelling of a variable or the other, so that there are both.
 */
export function proxyVariables({
  config,
  client,
}: Pick<Context, 'config' | 'client'>): Record<string, string> {
  const all = config.file.proxies ?? {}
  const proxies = all[addressOf(client.transport.endpoint)] ?? all['default'] ?? {}
  return Object.fromEntries(
    Object.entries(names).flatMap(([key, name]) => {
      const value = proxies[key] ?? ''
      const spellings = value === '' ? [] : [name, name.toLowerCase()]
      return spellings.map((spelling) => [spelling, value])
    }),
  )
}
