import { readFile } from 'node:fs/promises'
import { EngineError } from '#base/errors.ts'
import type { Address } from '#server/listen.ts'

const MAX_PORT = 65_535

/** `unix://PATH`, `tcp://HOST:PORT` or `fd://N`; a unix socket belongs to `group` when there is one of that name. */
export async function parseAddress(host: string, group: string): Promise<Address> {
  // As dockerd: a port of a host is TCP.
  const plain = /^[^/]+:\d+$/.test(host) ? `tcp://${host}` : host
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/.exec(plain) ?? []
  switch (scheme) {
    case 'unix':
      if (rest.startsWith('/')) return { kind: 'unix', path: rest, gid: await groupId(group) }
      break
    case 'tcp': {
      const [, name = '', port = ''] = /^(\[[^\]]+\]|[^:]*):(\d+)$/.exec(rest) ?? []
      if (port !== '' && Number(port) <= MAX_PORT)
        return { kind: 'tcp', host: name.replace(/^\[|\]$/g, '') || '127.0.0.1', port: Number(port) }
      break
    }
    case 'fd':
      if (/^\d*$/.test(rest)) return { kind: 'fd', fd: rest === '' ? 3 : Number(rest) }
      break
    default:
  }
  throw new EngineError(
    'invalid_argument',
    `invalid bind address "${host}": want unix:///PATH, tcp://HOST:PORT or fd://N`,
    { code: 'ADDRESS_INVALID' },
  )
}

async function groupId(name: string): Promise<number | undefined> {
  if (/^\d+$/.test(name)) return Number(name)
  const groups = await readFile('/etc/group', 'utf8')
  const line = groups.split('\n').find((entry) => entry.startsWith(`${name}:`))
  return line === undefined ? undefined : Number(line.split(':')[2])
}
